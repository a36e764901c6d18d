import type { ModelConfig } from "../protocol/model.ts";
import type { FollowedStatistic } from "../protocol/routingStatistics.ts";
import { decidingChoices, type RoutedWindow } from "./routedWindows.ts";

/** How far experts follow the token rather than its context; `cellMeasures` (protocol/measures.ts) has the formula. */

/** By the token that goes to the expert, or by the most likely token after it. */
export type VocabularyOf = "input" | "predicted";

/** How often a token occurs, and how often it chose each expert [E]. */
interface Kind {
  occurrences: number;
  chosen: Float64Array;
}

/**
 * Vocabulary specialisation by layer, domain and expert, all domains together last: [L, D + 1, E]; 0 for an expert
 * without a token that occurs twice.
 */
export function vocabularySpecialisation(
  windows: readonly RoutedWindow[],
  config: ModelConfig,
  domains: readonly string[],
  of: VocabularyOf,
): Float64Array {
  const { layers, experts } = config.moe!;
  const E = experts.length;
  const values = new Float64Array(layers.length * (domains.length + 1) * E);
  for (const position of layers.keys()) {
    const k = decidingChoices(config, position);
    for (let domain = 0; domain <= domains.length; domain++) {
      const own = domain < domains.length ? windows.filter((one) => one.domain === domains[domain]) : windows;
      const kinds = kindsOf(own, position, k, E, of);
      values.set(specialisation(kinds, E), (position * (domains.length + 1) + domain) * E);
    }
  }
  return values;
}

const statistics: Record<FollowedStatistic, VocabularyOf> = {
  vocabularyInput: "input",
  vocabularyPredicted: "predicted",
};

/** The statistics that follow tokens, [L, D + 1, E] each. */
export const followedStatistics = (windows: readonly RoutedWindow[], config: ModelConfig, domains: readonly string[]) =>
  Object.fromEntries(
    Object.entries(statistics).map(([name, of]) => [name, vocabularySpecialisation(windows, config, domains, of)]),
  ) as Record<FollowedStatistic, Float64Array>;

function kindsOf(
  windows: readonly RoutedWindow[],
  position: number,
  k: number,
  experts: number,
  of: VocabularyOf,
): Iterable<Kind> {
  const kinds = new Map<number, Kind>();
  for (const { ids, likeliest, choices } of windows) {
    for (const [token, id] of (of === "input" ? ids : likeliest).entries()) {
      const kind = kinds.get(id) ?? { occurrences: 0, chosen: new Float64Array(experts) };
      kinds.set(id, kind);
      kind.occurrences++;
      for (const expert of choices.of(position, token).subarray(0, k)) if (expert >= 0) kind.chosen[expert]!++;
    }
  }
  return kinds.values();
}

/**
 * For each expert, over the occurrences that chose it, the mean share of the token's other occurrences that chose it
 * too [E].
 */
function specialisation(kinds: Iterable<Kind>, experts: number): Float64Array {
  const [shares, tokens] = [new Float64Array(experts), new Float64Array(experts)];
  for (const { occurrences, chosen } of kinds) {
    if (occurrences < 2) continue;
    for (let expert = 0; expert < experts; expert++) {
      shares[expert]! += (chosen[expert]! * (chosen[expert]! - 1)) / (occurrences - 1);
      tokens[expert]! += chosen[expert]!;
    }
  }
  return shares.map((share, expert) => (tokens[expert]! > 0 ? share / tokens[expert]! : 0));
}
