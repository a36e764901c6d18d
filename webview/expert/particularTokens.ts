import { html, type TemplateResult } from "lit";
import type { ExpertFacts, ParticularToken } from "../../server/protocol/inspect.ts";
import { count, percent } from "../components/format.ts";
import { visibleText, withBreaks } from "../components/tokenText.ts";

/** The tokens that an expert gets more often than other experts do, with examples from the text. */

const shown = 10;
const visible = (text: string): string => visibleText(text, "end of text");

function row(token: ParticularToken): TemplateResult {
  const { text, share, base, chosen, choices, contexts } = token;
  return html`<tr>
    <th scope="row"><code>${visible(text)}</code></th>
    <td class="number">${percent(share)}</td>
    <td class="number">${percent(base)}</td>
    <td class="number">${count(chosen)} of ${count(choices)}</td>
    <td class="contexts">
      ${contexts.map(
        ({ domain, layer, before, token: own, after }) =>
          html`<div><code>${withBreaks(before)}<mark>${visible(own)}</mark>${withBreaks(after)}</code> <span class="soft">${domain}, layer ${layer}</span></div>`,
      )}
    </td>
  </tr>`;
}

function list(title: string, meaning: string, tokens: readonly ParticularToken[], all: boolean): TemplateResult {
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${title}>
    <table class="values particular">
      <caption>${title} <span class="soft">${meaning}</span></caption>
      <thead>
        <tr>
          <th scope="col">Token</th><th scope="col" class="number">Share here</th><th scope="col" class="number">Of all tokens</th>
          <th scope="col" class="number">Choices</th><th scope="col">In the held-out text</th>
        </tr>
      </thead>
      <tbody>${tokens.slice(0, all ? tokens.length : shown).map(row)}</tbody>
    </table>
  </div>`;
}

export function particularSection(facts: ExpertFacts, all: boolean, more: () => void): TemplateResult {
  const { input, predicted, tokens } = facts;
  const longest = Math.max(input.length, predicted.length);
  return html`<section>
    <h2>Most particular tokens <span class="soft">of ${count(tokens)} held-out tokens; the least likely by chance first</span></h2>
    ${list("Tokens that go to it", "share of the token's choices that are this expert, compared with all tokens", input, all)}
    ${list("Tokens that it predicts", "likeliest next token where the expert was chosen", predicted, all)}
    ${!all && longest > shown ? html`<button type="button" @click=${more}>Show all ${longest}</button>` : ""}
  </section>`;
}

/** Both lists, one row per token. */
export const particularRows = ({ input, predicted }: ExpertFacts): (string | number)[][] => [
  ["kind", "token", "share", "base", "chosen", "choices", "occurrences"],
  ...[...input.map((one) => ["input", one] as const), ...predicted.map((one) => ["predicted", one] as const)].map(
    ([kind, { text, share, base, chosen, choices, occurrences }]) => [
      kind,
      text,
      share,
      base,
      chosen,
      choices,
      occurrences,
    ],
  ),
];
