/** Pieces of frames, and what is made of two of them. */

/** A frame of one measure of a model at a snapshot, [domains + 1, layers, experts]; the last is all domains together. */
export interface RoutingValues {
  values: Float32Array;
  shape: readonly [domains: number, layers: number, experts: number];
}

/** The values of one map, [layers, experts]. */
export function mapOf({ values, shape: [, layers, experts] }: RoutingValues, domain: number): Float32Array {
  const size = layers * experts;
  return values.subarray(domain * size, (domain + 1) * size);
}

/** Of two frames of one shape, value by value: a minus b. */
export function differenceOf(a: RoutingValues, b: RoutingValues): RoutingValues {
  const values = new Float32Array(a.values.length);
  for (let at = 0; at < values.length; at++) values[at] = a.values[at]! - b.values[at]!;
  return { values, shape: a.shape };
}

/** What two models must have in common for their maps to be subtracted. */
export interface Axes {
  layers: readonly number[];
  experts: readonly { name: string }[];
  domains: readonly { name: string }[];
}

/** Why the maps of two models cannot be subtracted; undefined where they can. */
export function incomparable(a: Axes, b: Axes): string | undefined {
  const names = (list: readonly { name: string }[]) => JSON.stringify(list.map(({ name }) => name));
  if (a.layers.length !== b.layers.length)
    return `The models have ${a.layers.length} and ${b.layers.length} layers with experts: they can be seen side by side only.`;
  if (names(a.experts) !== names(b.experts))
    return "The models are mixed of other experts: they can be seen side by side only.";
  if (names(a.domains) !== names(b.domains))
    return "The models were trained on other domains: they can be seen side by side only.";
  return undefined;
}
