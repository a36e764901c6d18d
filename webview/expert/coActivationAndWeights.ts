import { html, type TemplateResult } from "lit";
import type { ExpertFacts } from "../../server/protocol/inspect.ts";
import type { RoutedModel } from "../../server/protocol/routing.ts";
import { expertClass } from "../components/experts.ts";

/** With which experts it fires, and how far its weights lie from theirs. */

const percent = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;

/** Of the expert's tokens the shares that the others got too, against the shares they get of all tokens; means of layers. */
export interface Together {
  share: number[];
  base: number[];
}

/**
 * @param together [layers, experts, experts]. @param chosen shares of tokens [domains + 1, layers, experts]. @param places
 * of the layers that count.
 */
export function togetherOf(
  { experts, layers, domains }: RoutedModel,
  together: Float32Array,
  chosen: Float32Array,
  expert: number,
  places: readonly number[],
): Together {
  const [L, E] = [layers.length, experts.length];
  const mean = (value: (layer: number, other: number) => number) =>
    experts.map((_, other) => places.reduce((sum, layer) => sum + value(layer, other), 0) / places.length);
  return {
    share: mean((layer, other) => together[(layer * E + expert) * E + other]!),
    base: mean((layer, other) => chosen[(domains.length * L + layer) * E + other]!),
  };
}

export function togetherSection(
  { experts }: RoutedModel,
  { share, base }: Together,
  expert: number,
  where: string,
): TemplateResult {
  const others = experts.map((_, at) => at).filter((at) => at !== expert);
  return html`<figure>
    <figcaption>Fires with <span class="soft">of its tokens, the share that go to the other expert too, ${where}</span></figcaption>
    <table class="values together">
      <thead><tr><th scope="col">Expert</th><th scope="col" class="number">Of its tokens</th><th scope="col" class="number">Of all tokens</th><th scope="col" class="number">Times</th></tr></thead>
      <tbody>
        ${others.map(
          (at) =>
            html`<tr><th scope="row"><span class=${expertClass(experts, at)}>${experts[at]!.name}</span></th>
              <td class="number">${percent(share[at]!)}</td><td class="number">${percent(base[at]!)}</td>
              <td class="number">${base[at]! > 0 ? (share[at]! / base[at]!).toFixed(2) : "–"}</td></tr>`,
        )}
      </tbody>
    </table>
  </figure>`;
}

/** Distances, a row another block and a column a layer. */
export function distancesSection({ layers, distances }: ExpertFacts): TemplateResult {
  const kinds = [
    ["Relative distance", "relative", "|a − b| / |b| of the three weights as one vector"],
    ["Cosine", "cosine", "of the same vectors; 1 where they are alike"],
  ] as const;
  return html`<section>
    <h2>Weights</h2>
    <div class="side">
      ${kinds.map(
        ([title, kind, says]) =>
          html`<div class="scroll" tabindex="0" role="group" aria-label=${title}>
            <table class="values distances">
              <caption>${title} <span class="soft">${says}</span></caption>
              <thead><tr><th scope="col">To</th>${layers.map((layer) => html`<th scope="col" class="number">layer ${layer}</th>`)}</tr></thead>
              <tbody>
                ${distances.map(
                  (one) =>
                    html`<tr><th scope="row">${one.is === "seed" ? `${one.to}, before` : one.to}</th>
                      ${one[kind].map((value) => html`<td class="number">${value.toFixed(3)}</td>`)}</tr>`,
                )}
              </tbody>
            </table>
          </div>`,
      )}
    </div>
  </section>`;
}

export const distanceRows = ({ layers, distances }: ExpertFacts): (string | number)[][] => [
  ["to", "is", "layer", "relative", "cosine"],
  ...distances.flatMap(({ to, is, relative, cosine }) =>
    layers.map((layer, at) => [to, is, layer, relative[at]!, cosine[at]!]),
  ),
];
