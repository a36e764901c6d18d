import type { Routed, RoutedToken, Shown } from "../../server/protocol/routed.ts";
import { expertOf } from "../../server/protocol/routed.ts";

export const nats = (surprise: number | null): string => (surprise === null ? "–" : `${surprise.toFixed(2)} nats`);

export const layerText = ({ layers }: Pick<Routed, "layers">, shown: Shown): string =>
  shown === "all" ? "all layers" : `layer ${layers[shown]}`;

/** "code 0.71, math 0.29": the experts and gates of a token in a layer. */
export function expertsText({ experts, k }: Routed, { chosen, gates }: RoutedToken, layer: number): string {
  const parts = Array.from({ length: k }, (_, slot) => layer * k + slot)
    .filter((at) => (chosen[at] ?? -1) >= 0)
    .map((at) => `${experts[chosen[at]!]?.name ?? "?"} ${(gates[at] ?? 0).toFixed(2)}`);
  return parts.length > 0 ? parts.join(", ") : "no expert";
}

/** Name of the expert that colours a token. */
export const firstName = (routed: Routed, token: RoutedToken, shown: Shown): string => {
  const expert = expertOf(token, shown, routed.k);
  return expert === undefined ? "no expert" : routed.experts[expert]!.name;
};
