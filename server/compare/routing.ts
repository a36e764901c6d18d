import type { ComparedRouting } from "../protocol/comparison.ts";
import type { RoutingSummary } from "../protocol/routingFiles.ts";

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const sum = (table: readonly (readonly (readonly number[])[])[]) => table.flat(2).reduce((a, b) => a + b, 0);

/** Each expert's share of a domain's tokens that a layer routes, [layer][expert][domain]; sums to 1 over experts. */
function sharesOf({ routedTokens, domains }: RoutingSummary): number[][][] {
  return routedTokens.map((experts) => {
    const totals = domains.map((_, domain) => experts.reduce((total, expert) => total + expert[domain]!, 0));
    return experts.map((expert) => expert.map((routed, domain) => (totals[domain] ? routed / totals[domain] : 0)));
  });
}

/**
 * Where held-out tokens went, as means over random seeds. A share is of the routed tokens, so it does not grow with the
 * number of experts per token (K): without preference it is 1/E. Domains count equally in a layer's shares. The largest
 * and smallest share are extremes over layers, experts and random seeds, so an expert that is dead in one seed counts.
 * @param seeds at least one, all with the same layers, experts and domains
 */
export function comparedRouting(seeds: readonly RoutingSummary[]): ComparedRouting {
  const { layers, experts, domains } = seeds[0]!;
  const each = seeds.map(sharesOf);
  const share = experts.map((_, expert) =>
    domains.map((_, domain) => mean(each.map((seed) => mean(seed.map((layer) => layer[expert]![domain]!))))),
  );
  const loads = each.flatMap((seed) =>
    layers.flatMap((layer, at) => experts.map((expert, index) => ({ layer, expert, share: mean(seed[at]![index]!) }))),
  );
  const dropped = seeds.flatMap(({ routedTokens, droppedTokens }) => {
    if (!droppedTokens) return [];
    const lost = sum(droppedTokens);
    return [lost / Math.max(1, lost + sum(routedTokens))];
  });
  return {
    layers,
    experts,
    domains,
    share,
    largest: loads.reduce((a, b) => (b.share > a.share ? b : a)),
    smallest: loads.reduce((a, b) => (b.share < a.share ? b : a)),
    ...(dropped.length > 0 ? { dropped: mean(dropped) } : {}),
  };
}
