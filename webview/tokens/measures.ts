import { expertOf, type Routed, type Shown } from "../../server/protocol/routed.ts";

/** What is counted of a routed text: N tokens, L layers, E experts. */

/** The layers that are shown, as places. */
const placesOf = ({ layers }: Routed, shown: Shown): number[] => (shown === "all" ? [...layers.keys()] : [shown]);

/** Tokens and layers, among those shown, that chose both experts [E, E]; the diagonal: that chose it at all. */
export function pairsOf(routed: Routed, shown: Shown): Float64Array {
  const { experts, k, tokens } = routed;
  const counts = new Float64Array(experts.length ** 2);
  for (const { chosen } of tokens)
    for (const layer of placesOf(routed, shown)) {
      const own = chosen.slice(layer * k, (layer + 1) * k).filter((expert) => expert >= 0);
      for (const a of own) for (const b of own) counts[a * experts.length + b]! += 1;
    }
  return counts;
}

/** Of each layer: an expert's mean gate, 0 for tokens that did not choose it, and the share of tokens that did [L][E]. */
export function gatesOf({ layers, experts, k, tokens }: Routed): { gate: number; share: number }[][] {
  const rows = layers.map(() => experts.map(() => ({ gate: 0, share: 0 })));
  for (const { chosen, gates } of tokens)
    for (const [at, expert] of chosen.entries()) {
      if (expert < 0) continue;
      const cell = rows[Math.floor(at / k)]![expert]!;
      cell.gate += (gates[at] ?? 0) / tokens.length;
      cell.share += 1 / tokens.length;
    }
  return rows;
}

/** Mean surprise, nats, of the tokens that have one. */
export function meanSurprise({ tokens }: Routed): number | undefined {
  const known = tokens.flatMap(({ surprise }) => (surprise === null ? [] : [surprise]));
  return known.length > 0 ? known.reduce((sum, one) => sum + one, 0) / known.length : undefined;
}

/** The first expert of every layer and token [L, N] (-1: none), and its gate. */
export function firstExperts({ layers, k, tokens }: Routed): { experts: Int16Array; gates: Float32Array } {
  const experts = new Int16Array(layers.length * tokens.length).fill(-1);
  const gates = new Float32Array(experts.length);
  for (const [n, token] of tokens.entries())
    for (const layer of layers.keys()) {
      const expert = expertOf(token, layer, k);
      if (expert === undefined) continue;
      const slot = token.chosen.indexOf(expert, layer * k);
      experts[layer * tokens.length + n] = expert;
      gates[layer * tokens.length + n] = token.gates[slot] ?? 0;
    }
  return { experts, gates };
}
