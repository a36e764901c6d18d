/** An expert is dead in a layer if it gets a smaller share than this part of an equal share. */
export const deadBelow = 0.1;
/** An expert dominates a layer if its share of tokens is more than halfway from an equal share (k / E) to 1. */
export const dominatesAbove = (experts: number, k: number): number => (1 + k / experts) / 2;

export interface Remark {
  kind: "dead" | "dominating";
  expert: number;
  /** Indices of layers, ascending. */
  layers: number[];
}

/**
 * Experts that are dead or dominate; dominating ones first, then those with the most layers.
 *
 * @param shares routed shares of all text, [layers, experts]. @param k experts per token.
 */
export function remarksOf(shares: Float32Array, experts: number, k: number): Remark[] {
  const found = new Map<string, Remark>();
  for (let at = 0; at < shares.length; at++) {
    const share = shares[at]!;
    const kind =
      share < deadBelow / experts
        ? "dead"
        : k < experts && share * k > dominatesAbove(experts, k)
          ? "dominating"
          : undefined;
    if (!kind) continue;
    const [layer, expert] = [Math.floor(at / experts), at % experts];
    const remark = found.get(`${kind} ${expert}`) ?? { kind, expert, layers: [] };
    remark.layers.push(layer);
    found.set(`${kind} ${expert}`, remark);
  }
  return [...found.values()].sort(
    (a, b) => Number(a.kind === "dead") - Number(b.kind === "dead") || b.layers.length - a.layers.length,
  );
}

/** "layers 3, 5 to 9 and 12". @param places indices into `layers`, ascending. @param layers numbers in the model. */
export function layersText(places: readonly number[], layers: readonly number[]): string {
  if (places.length === layers.length && layers.length > 1) return "all layers";
  const spans: string[] = [];
  for (let at = 0; at < places.length; ) {
    let end = at;
    while (end + 1 < places.length && places[end + 1] === places[end]! + 1) end++;
    const [first, last] = [layers[places[at]!]!, layers[places[end]!]!];
    if (end - at >= 2) spans.push(`${first} to ${last}`);
    else for (let one = at; one <= end; one++) spans.push(String(layers[places[one]!]!));
    at = end + 1;
  }
  const text = spans.length > 1 ? `${spans.slice(0, -1).join(", ")} and ${spans.at(-1)}` : (spans[0] ?? "");
  return `${places.length > 1 ? "layers" : "layer"} ${text}`;
}

/** A remark as a sentence. @param experts names. @param layers numbers in the model. @param most `dominatesAbove`. */
export function remarkText(
  { kind, expert, layers: places }: Remark,
  experts: readonly string[],
  layers: readonly number[],
  most: number,
): string {
  const where = layersText(places, layers);
  return kind === "dead"
    ? `Expert ${experts[expert]} is dead in ${where}: it gets less than a tenth of an equal share.`
    : `Expert ${experts[expert]} dominates ${where}: more than ${Number((100 * most).toFixed(1))} % of the tokens choose it.`;
}
