import { html, type TemplateResult } from "lit";
import type { RoutedModel } from "../../server/protocol/routing.ts";
import { expertClass } from "../components/experts.ts";
import { percent } from "../components/format.ts";

/** For each other expert: its share of the expert's tokens, and of all tokens; means over layers. */
export interface CoActivation {
  share: number[];
  base: number[];
}

/**
 * @param pairs [layers, experts, experts]. @param chosen shares of tokens, [domains + 1, layers, experts].
 * @param places indices of the layers to average.
 */
export function coActivationOf(
  { experts, layers, domains }: RoutedModel,
  pairs: Float32Array,
  chosen: Float32Array,
  expert: number,
  places: readonly number[],
): CoActivation {
  const [L, E] = [layers.length, experts.length];
  const mean = (value: (layer: number, other: number) => number) =>
    experts.map((_, other) => places.reduce((sum, layer) => sum + value(layer, other), 0) / places.length);
  return {
    share: mean((layer, other) => pairs[(layer * E + expert) * E + other]!),
    base: mean((layer, other) => chosen[(domains.length * L + layer) * E + other]!),
  };
}

export function coActivationSection(
  { experts }: RoutedModel,
  { share, base }: CoActivation,
  expert: number,
  where: string,
): TemplateResult {
  const others = experts.map((_, at) => at).filter((at) => at !== expert);
  return html`<figure>
    <figcaption>Chosen together with <span class="soft">share of its tokens that also go to the other expert, ${where}</span></figcaption>
    <table class="values co-activation">
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
