import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import type { ParticularToken } from "../protocol/inspect.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { decidingChoices, type RoutedWindow } from "../routing/routedWindows.ts";

/** Limits: tokens in an answer, contexts of each, and tokens on each side of one in its context. */
const maxTokens = 20;
const maxContexts = 3;
const around = 16;

export interface ParticularOptions {
  config: ModelConfig;
  tokenizer: Tokenizer;
  /** Index of the expert, and which of the Mixture-of-Experts layers count. */
  expert: number;
  positions: readonly number[];
  /** By the token that goes to the expert, or by the most likely token after it. */
  by: "input" | "predicted";
}

interface Count {
  chosen: number;
  choices: number;
  occurrences: number;
  /** Where the token goes to the expert: window, token, layer. */
  places: { window: RoutedWindow; token: number; layer: number }[];
}

/** The tokens most specific to an expert, in the order described at `expertFactsSchema`. */
export function particularTokens(windows: readonly RoutedWindow[], options: ParticularOptions): ParticularToken[] {
  const counts = countTokens(windows, options);
  let [chosen, choices] = [0, 0];
  for (const count of counts.values()) {
    chosen += count.chosen;
    choices += count.choices;
  }
  const base = chosen / choices;
  const ranked = [...counts]
    .filter(([, count]) => count.chosen / count.choices > base)
    .map(([id, count]) => ({ id, count, evidence: logLikelihoodRatio(count, base) }))
    .sort((a, b) => b.evidence - a.evidence || a.id - b.id);
  return ranked.slice(0, maxTokens).map(({ id, count }) => ({
    text: options.tokenizer.decode([id]),
    share: count.chosen / count.choices,
    base,
    chosen: count.chosen,
    choices: count.choices,
    occurrences: count.occurrences,
    contexts: count.places.map((place) => contextOf(place, id, options)),
  }));
}

function countTokens(
  windows: readonly RoutedWindow[],
  { config, expert, positions, by }: ParticularOptions,
): Map<number, Count> {
  const counts = new Map<number, Count>();
  const layers = positions.map((position) => ({ position, k: decidingChoices(config, position) }));
  for (const window of windows) {
    const ids = by === "input" ? window.ids : window.likeliest;
    for (const [token, id] of ids.entries()) {
      const count = counts.get(id) ?? { chosen: 0, choices: 0, occurrences: 0, places: [] };
      counts.set(id, count);
      count.occurrences++;
      for (const { position, k } of layers) {
        count.choices += k;
        if (!window.choices.of(position, token).subarray(0, k).includes(expert)) continue;
        count.chosen++;
        // At most one per window, because the next ones would be very similar.
        if (count.places.length < maxContexts && count.places.at(-1)?.window !== window)
          count.places.push({ window, token, layer: config.moe!.layers[position]! });
      }
    }
  }
  return counts;
}

/** Log-likelihood ratio (Dunning 1993): how much more likely n of N choices are at their own share than at the base. */
function logLikelihoodRatio({ chosen, choices }: Count, base: number): number {
  const share = chosen / choices;
  const others = choices - chosen;
  return 2 * (chosen * Math.log(share / base) + (others > 0 ? others * Math.log((1 - share) / (1 - base)) : 0));
}

function contextOf(
  { window, token, layer }: Count["places"][number],
  id: number,
  { tokenizer, by }: ParticularOptions,
): ParticularToken["contexts"][number] {
  const at = by === "input" ? token : token + 1;
  const text = (from: number, to: number) => tokenizer.decode(window.ids.subarray(Math.max(0, from), to));
  return {
    domain: window.domain,
    layer,
    before: text(at - around, at),
    token: tokenizer.decode([id]),
    after: text(at + 1, at + 1 + around),
  };
}
