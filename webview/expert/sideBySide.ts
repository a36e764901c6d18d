import { html, type TemplateResult } from "lit";
import type { SampledToken } from "../../server/protocol/inspect.ts";
import type { RoutedModel } from "../../server/protocol/routing.ts";
import { expertClass } from "../components/experts.ts";
import { option, select } from "../components/modelChoice.ts";
import type { PageState } from "./state.ts";

/** Two experts continue one prompt, each with all others switched off. */

export interface Side {
  expert: string;
  text: string;
  /** Mean surprise of the text's tokens, nats. */
  surprise: number;
  tokens: number;
  state: "writes" | "done" | "cancelled" | "failed";
  problem: string;
}

export const emptySide = (expert: string): Side => ({
  expert,
  text: "",
  surprise: 0,
  tokens: 0,
  state: "writes",
  problem: "",
});

export const withToken = (side: Side, { text, surprise }: SampledToken): Side => ({
  ...side,
  text: side.text + text,
  surprise: (side.surprise * side.tokens + surprise) / (side.tokens + 1),
  tokens: side.tokens + 1,
});

export function sideBySideSection(
  model: RoutedModel,
  expert: string,
  other: string,
  state: PageState,
  sides: readonly Side[],
  actions: { change(change: Partial<PageState>): void; write(): void; cancel(): void },
): TemplateResult {
  const { change, write, cancel } = actions;
  const writes = sides.some((side) => side.state === "writes");
  const number = (label: string, key: "tokens" | "randomSeed", least: number, most: number) =>
    html`<label class="group"><span class="caption">${label}</span>
      <input type="number" min=${least} max=${most} .value=${String(state[key])}
        @change=${(event: Event) => change({ [key]: Math.min(most, Math.max(least, Math.round(Number((event.currentTarget as HTMLInputElement).value)) || least)) })} /></label>`;
  const at = (name: string) => model.experts.findIndex((one) => one.name === name);
  return html`<section>
    <h2>Two experts side by side <span class="soft">each continues the prompt alone, with all others switched off</span></h2>
    <textarea rows="3" maxlength="2000" aria-label="Prompt" spellcheck="false" .value=${state.prompt}
      @input=${(event: Event) => change({ prompt: (event.currentTarget as HTMLTextAreaElement).value })}></textarea>
    <div class="controls beside-controls">
      ${select(
        "Beside",
        model.experts.filter(({ name }) => name !== expert).map(({ name }) => option(name, name, name === other)),
        (value) => change({ other: value }),
      )}
      ${number("Tokens", "tokens", 1, 1000)} ${number("Random seed", "randomSeed", 0, 2 ** 31 - 1)}
      ${
        writes
          ? html`<button type="button" @click=${cancel}>Cancel</button>`
          : html`<button type="button" ?disabled=${state.prompt === ""} @click=${write}>Continue</button>`
      }
    </div>
    <div class="beside">
      ${sides.map(
        (side) =>
          html`<figure>
            <figcaption><span class=${expertClass(model.experts, at(side.expert))}>${side.expert}</span>
              <span class="soft">${side.tokens > 0 ? `${side.tokens} tokens, mean surprise ${side.surprise.toFixed(2)} nats` : ""}${side.state === "cancelled" ? ", cancelled" : ""}</span></figcaption>
            ${side.problem ? html`<p class="notice trouble" role="alert">${side.problem}</p>` : ""}
            <pre>${state.prompt}<mark>${side.text}</mark></pre>
          </figure>`,
      )}
    </div>
  </section>`;
}
