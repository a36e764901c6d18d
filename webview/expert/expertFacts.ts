import { html, type TemplateResult } from "lit";
import type { ExpertFacts } from "../../server/protocol/inspect.ts";
import type { ExpertOrigin } from "../../server/protocol/pageInspections.ts";
import { count, duration, percent } from "../components/format.ts";

/** Origin and size of an expert, and the models that use it. */

const originText = ({ made, part, sources }: ExpertOrigin): string => {
  const names = sources.map(({ name }) => name).join(", ");
  switch (made) {
    case "whole":
      return `the feed-forward blocks of ${names}`;
    case "part":
      return `part ${part?.number} of ${part?.of} of the feed-forward blocks of ${names}`;
    case "blend":
      return `parts of the feed-forward blocks of ${names}`;
    case "copy":
      return `a copy of the feed-forward blocks of ${names}`;
  }
};

function sourceText({ mixture, tokens, seconds, losses }: ExpertOrigin["sources"][number]): TemplateResult {
  const domains = Object.entries(mixture ?? {}).map(([domain, share]) => `${domain} ${percent(share)}`);
  const held = Object.entries(losses ?? {}).map(([domain, loss]) => `${domain} ${loss.toFixed(3)}`);
  const parts = [
    domains.length > 0 ? `trained on ${domains.join(", ")}` : "",
    tokens === undefined ? "" : `${count(tokens)} tokens`,
    seconds === undefined ? "" : `in ${duration(seconds)}`,
  ].filter(Boolean);
  return html`${parts.join(", ")}${held.length > 0 ? html`; held-out loss of its own model: ${held.join(", ")} nats` : ""}`;
}

export function factsSection(origin: ExpertOrigin | undefined, facts: ExpertFacts | undefined): TemplateResult {
  return html`<dl class="facts">
    ${
      origin
        ? html`<div><dt>Made from</dt><dd>${originText(origin)}</dd></div>
            ${origin.sources.map((source) => html`<div><dt>${source.name}</dt><dd>${sourceText(source)}</dd></div>`)}
            <div><dt>Used by</dt><dd>${origin.uses.map(({ name, run, stage }) => `${stage.name} of ${name} (${run})`).join("; ")}</dd></div>`
        : ""
    }
    ${facts ? html`<div><dt>Parameters</dt><dd>${count(facts.parameters)} in ${facts.layers.length} ${facts.layers.length === 1 ? "layer" : "layers"}</dd></div>` : ""}
  </dl>`;
}
