import type { RoutedExpert, RoutedText } from "./inspect.ts";

/** A text with the experts of its tokens, and the colours and shares that follow from them. */

export interface RoutedToken {
  /** UTF-16 offsets into the document. */
  start: number;
  end: number;
  /** Experts [layer, k], flat, and their gates. Empty for a dense model. */
  chosen: readonly number[];
  gates: readonly number[];
  /** Negative log-likelihood of the token given the preceding ones, nats; null for the first. */
  surprise: number | null;
}

export interface Routed {
  /** Numbers of the Mixture-of-Experts layers in the model, from 0. */
  layers: readonly number[];
  experts: readonly RoutedExpert[];
  /** Choices per token and layer; 0 for a dense model. */
  k: number;
  /** Sorted by `start`, without overlap. */
  tokens: readonly RoutedToken[];
}

/** What is coloured: a layer, by its index in `layers`, or all layers. */
export type Shown = number | "all";

/** The tokens of an answer, whose text begins at an offset of the document. */
export function routedFrom(answer: RoutedText, offset: number): Routed {
  const { layers, experts, k, chosen, gates, surprise } = answer;
  const count = answer.tokens.length;
  const tokens = answer.tokens.map(({ start, end }, token): RoutedToken => {
    // [layer, token, k] -> [layer, k] of one token
    const of = (values: readonly number[]) =>
      layers.flatMap((_, layer) => values.slice((layer * count + token) * k, (layer * count + token + 1) * k));
    const given = surprise[token] ?? null;
    return { start: start + offset, end: end + offset, chosen: of(chosen), gates: of(gates), surprise: given };
  });
  return { layers, experts, k, tokens };
}

/**
 * The expert that determines a token's colour: the one with the largest gate in the layer, or with the largest sum of
 * gates over all layers; on ties, the lower index. Undefined if none was chosen.
 */
export function expertOf({ chosen, gates }: RoutedToken, shown: Shown, k: number): number | undefined {
  const [from, to] = shown === "all" ? [0, chosen.length] : [shown * k, (shown + 1) * k];
  const sums = new Map<number, number>();
  let best: number | undefined;
  for (let i = from; i < to && i < chosen.length; i++) {
    // -1 if fewer experts have a gate.
    if (chosen[i]! >= 0) sums.set(chosen[i]!, (sums.get(chosen[i]!) ?? 0) + (gates[i] ?? 0));
  }
  for (const [expert, sum] of sums) {
    const most = best === undefined ? -1 : sums.get(best)!;
    if (sum > most || (sum === most && expert < best!)) best = expert;
  }
  return best;
}

/** Share of tokens by expert. Tokens without an expert count towards the total. */
export function shares({ experts, k, tokens }: Routed, shown: Shown): number[] {
  const counts = experts.map(() => 0);
  for (const token of tokens) {
    const expert = expertOf(token, shown, k);
    if (expert !== undefined) counts[expert]!++;
  }
  return counts.map((count) => (tokens.length === 0 ? 0 : count / tokens.length));
}

/** The token at an offset of the document. */
export function tokenAt(tokens: readonly RoutedToken[], offset: number): RoutedToken | undefined {
  let [low, high] = [0, tokens.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tokens[middle]!.end <= offset) low = middle + 1;
    else high = middle;
  }
  const token = tokens[low];
  return token && token.start <= offset ? token : undefined;
}
