import { html, svg, type TemplateResult } from "lit";
import type { RoutedText, TextMeasures } from "../../server/protocol/inspect.ts";
import { expertOf, type Routed, type Shown, shares } from "../../server/protocol/routed.ts";
import { expertClass } from "../components/experts.ts";
import { percent } from "../components/format.ts";
import { visibleText } from "../components/tokenText.ts";
import { expertsText, firstName, layerText, nats } from "./labels.ts";
import { pairsOf } from "./textCounts.ts";
import type { GridPlace } from "./token-grid.ts";

/** A text and what the inspector answered about it. */
export interface RoutedAnswer {
  text: string;
  routed: Routed;
  predicted: RoutedText["predicted"];
  /** Measures of the whole text. */
  measures: TextMeasures | undefined;
}

/** Maximum number of tokens in the table and in the coloured text. */
const maxTokens = 3000;

/** Experts and their shares of the tokens. */
export function legend(routed: Routed, shown: Shown): TemplateResult {
  const share = shares(routed, shown);
  return html`<ul class="legend-line" aria-label="Experts, ${layerText(routed, shown)}">
    ${routed.experts.map(
      ({ name }, expert) =>
        html`<li><span class=${expertClass(routed.experts, expert)}>${name}</span> ${percent(share[expert]!)}</li>`,
    )}
  </ul>`;
}

/** The text, each token marked by its first expert. */
export function colouredText(
  { text, routed }: RoutedAnswer,
  shown: Shown,
  place: GridPlace | undefined,
  read: (token: number) => void,
): TemplateResult {
  const { tokens, experts, k } = routed;
  return html`<div class="text" tabindex="0" role="group" aria-label="The text in the colours of its experts, ${layerText(routed, shown)}"
    @pointerover=${(event: Event) => {
      const token = (event.target as HTMLElement).dataset.token;
      if (token !== undefined) read(Number(token));
    }}>${tokens.slice(0, maxTokens).map(
      (token, at) =>
        html`<span
            data-token=${at}
            class="${expertClass(experts, expertOf(token, shown, k))} ${place?.token === at ? "read-here" : ""}"
            title=${`${firstName(routed, token, shown)}, ${nats(token.surprise)}`}
            >${text.slice(token.start, token.end)}</span
          >`,
    )}${tokens.length > maxTokens ? html`<span class="soft"> … and ${tokens.length - maxTokens} more tokens</span>` : ""}</div>`;
}

/** One token: its experts in every layer, with gates as bars. */
export function tokenDetail({ text, routed, predicted }: RoutedAnswer, place: GridPlace | undefined): TemplateResult {
  const token = place && routed.tokens[place.token];
  if (!token)
    return html`<p class="soft">Point at a token, or move through the grid with the arrow keys: its experts and gates are shown here.</p>`;
  const { layers, experts, k } = routed;
  const slots = Array.from({ length: k }, (_, slot) => slot);
  return html`<figure class="detail">
    <figcaption>
      Token ${place.token + 1}: <code>${visibleText(text.slice(token.start, token.end))}</code>
      <span class="soft">surprise ${nats(token.surprise)}, likeliest next <code>${visibleText(predicted[place.token] ?? "")}</code></span>
    </figcaption>
    <table class="values gates">
      <tbody>
        ${layers.map(
          (layer, row) =>
            html`<tr>
              <th scope="row">layer ${layer}</th>
              ${slots.map((slot) => {
                const [expert, gate] = [token.chosen[row * k + slot] ?? -1, token.gates[row * k + slot] ?? 0];
                if (expert < 0) return html`<td></td>`;
                return html`<td>
                  <span class=${expertClass(experts, expert)}>${experts[expert]!.name}</span> ${gate.toFixed(2)}
                  <svg width="60" height="8" aria-hidden="true">
                    ${svg`<rect class="gate-bar" width=${60 * Math.min(1, gate)} height="8" />`}
                  </svg>
                </td>`;
              })}
            </tr>`,
        )}
      </tbody>
    </table>
  </figure>`;
}

/** How often two experts got the same token; with one expert per token, how many tokens each got. */
export function pairsTable(routed: Routed, shown: Shown): TemplateResult {
  const { experts, k } = routed;
  const counts = pairsOf(routed, shown);
  const heading = k > 1 ? "Chosen together" : "Tokens of each expert";
  return html`<figure>
    <figcaption>${heading} <span class="soft">tokens and layers, ${layerText(routed, shown)}</span></figcaption>
    <div class="scroll" tabindex="0" role="group" aria-label=${heading}>
      <table class="values pairs">
        <thead>
          <tr>
            <td></td>
            ${(k > 1 ? experts : [{ name: "tokens" }]).map(({ name }) => html`<th scope="col" class="number">${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${experts.map(
            ({ name }, a) =>
              html`<tr>
                <th scope="row"><span class=${expertClass(experts, a)}>${name}</span></th>
                ${
                  k > 1
                    ? experts.map((_, b) => html`<td class="number">${counts[a * experts.length + b]}</td>`)
                    : html`<td class="number">${counts[a * experts.length + a]}</td>`
                }
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </figure>`;
}

/** Everything as numbers, one row per token. */
export function tokensTable({ text, routed, predicted }: RoutedAnswer): TemplateResult {
  const { layers, tokens } = routed;
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Tokens">
    <table class="values tokens">
      <caption>
        Tokens${tokens.length > maxTokens ? `, the first ${maxTokens} of ${tokens.length}` : ""}
      </caption>
      <thead>
        <tr>
          <th scope="col" class="number">Token</th>
          <th scope="col">Text</th>
          <th scope="col" class="number">Surprise</th>
          <th scope="col">Likeliest next</th>
          ${layers.map((layer) => html`<th scope="col">Layer ${layer}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${tokens.slice(0, maxTokens).map(
          (token, at) =>
            html`<tr>
              <th scope="row" class="number">${at + 1}</th>
              <td><code>${visibleText(text.slice(token.start, token.end))}</code></td>
              <td class="number">${nats(token.surprise)}</td>
              <td><code>${visibleText(predicted[at] ?? "")}</code></td>
              ${layers.map((_, layer) => html`<td>${expertsText(routed, token, layer)}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
