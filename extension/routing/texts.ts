import { percent } from "../../server/protocol/format.ts";
import { expertOf, type Routed, type RoutedToken, type Shown, shares } from "../../server/protocol/routed.ts";

/** Routed tokens as words and bars. Independent of VS Code. */

const full = "█";
/** Blocks of 0 to 7 eighths. */
const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/** Width of the bar for a gate of 1, in characters. */
const barWidth = 10;

/** A share, 0..1, as a bar of a fixed width, to an eighth of a character. */
export function bar(share: number, width: number = barWidth): string {
  const parts = Math.round(Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0)) * width * 8);
  return (full.repeat(parts >> 3) + eighths[parts & 7]).padEnd(width);
}

export const layerName = (layers: readonly number[], shown: Shown): string =>
  shown === "all" ? "all layers" : `layer ${layers[shown]}`;

/** The hover of a token: its text, its surprise, and the gates of every layer as bars, one line per layer. */
export function tokenLines(text: string, token: RoutedToken, { layers, experts, k }: Routed): string {
  const surprise = token.surprise === null ? "no token before it" : `surprise ${token.surprise.toFixed(2)} nats`;
  const width = Math.max(0, ...token.chosen.map((expert) => experts[expert]?.name.length ?? 0));
  const digits = `${layers.at(-1) ?? 0}`.length;
  const rows = layers.map((layer, index) => {
    const gates = Array.from({ length: k }, (_, slot) => index * k + slot)
      .filter((at) => (token.chosen[at] ?? -1) >= 0)
      .map((at) => ({ name: experts[token.chosen[at]!]?.name ?? "?", gate: token.gates[at] ?? 0 }))
      .sort((a, b) => b.gate - a.gate)
      .map(({ name, gate }) => `${name.padEnd(width)} ${bar(gate)} ${gate.toFixed(2)}`);
    return `layer ${`${layer}`.padStart(digits)}  ${gates.length === 0 ? "no expert" : gates.join("  ")}`;
  });
  return [`${JSON.stringify(text)}  ${surprise}`, ...rows].join("\n");
}

/** A line of the legend: an expert and its share of the tokens. */
export interface LegendLine {
  expert: number;
  name: string;
  share: number;
}

/** Experts by descending share of the tokens; unused experts come last, in the order of the mix. */
export function legend(routed: Routed, shown: Shown): LegendLine[] {
  const share = shares(routed, shown);
  return routed.experts
    .map(({ name }, expert) => ({ expert, name, share: share[expert]! }))
    .sort((a, b) => b.share - a.share || a.expert - b.expert);
}

/** A sentence for screen readers: the most used experts and their shares of the text. */
export function spoken(routed: Routed, shown: Shown): string {
  const some = legend(routed, shown).filter(({ share }) => share > 0);
  const parts = some.slice(0, 4).map(({ name, share }) => `${name} ${percent(share)}`);
  const rest = some.length > parts.length ? `, and ${some.length - parts.length} more` : "";
  return `${routed.tokens.length} tokens in ${layerName(routed.layers, shown)}: ${parts.join(", ")}${rest}`;
}

/** Name of the expert that a token is coloured by. */
export const expertName = (token: RoutedToken, routed: Routed, shown: Shown): string | undefined => {
  const expert = expertOf(token, shown, routed.k);
  return expert === undefined ? undefined : routed.experts[expert]?.name;
};
