import { expertOf, type Routed, type Shown } from "../../server/protocol/routed.ts";

/** Counts over a routed text of N tokens, with L layers and E experts. */

/** Indices of the layers shown. */
const placesOf = ({ layers }: Routed, shown: Shown): number[] => (shown === "all" ? [...layers.keys()] : [shown]);

/** How often both experts were chosen, over tokens and shown layers, [E, E]; the diagonal counts each expert. */
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

/** How often the choice of one expert is followed by each expert in the next layer, [L - 1, E, E]. */
export function transitionsOf({ layers, experts, k, tokens }: Routed): Float32Array<ArrayBuffer> {
  const size = experts.length;
  const counts = new Float32Array(Math.max(0, layers.length - 1) * size * size);
  for (const { chosen } of tokens)
    for (let layer = 0; layer < layers.length - 1; layer++)
      for (let from = layer * k; from < (layer + 1) * k; from++)
        for (let to = (layer + 1) * k; to < (layer + 2) * k; to++)
          if (chosen[from]! >= 0 && chosen[to]! >= 0) counts[(layer * size + chosen[from]!) * size + chosen[to]!]! += 1;
  return counts;
}

/** Mean surprise, nats, of the tokens that have one. */
export function meanSurprise({ tokens }: Routed): number | undefined {
  const known = tokens.flatMap(({ surprise }) => (surprise === null ? [] : [surprise]));
  return known.length > 0 ? known.reduce((sum, one) => sum + one, 0) / known.length : undefined;
}

/** The first expert of every layer and token, [L, N] (-1: none), and its gate. */
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
