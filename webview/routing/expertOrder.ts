/** Orders experts so that similarly used ones are adjacent. */

interface Group {
  /** Experts, from the left. */
  members: number[];
}

/**
 * Agglomerative clustering with average linkage: the two nearest groups are merged until one is left. The distance of
 * two experts is Euclidean, of two groups the mean over all pairs (Sokal & Michener 1958). A group is reversed if that
 * puts nearer experts side by side; ties keep the order of the mix.
 *
 * @param profiles what each expert is used for, [experts, P].
 * @returns a permutation of the experts.
 */
export function clusteredOrder(profiles: Float32Array, experts: number): number[] {
  const distances = distancesOf(profiles, experts);
  const groups: (Group | undefined)[] = Array.from({ length: experts }, (_, index) => ({ members: [index] }));
  // Distances between groups, at the indices of their first experts.
  const between = distances.slice();
  for (let merges = 1; merges < experts; merges++) {
    const [a, b] = nearestPair(between, groups, experts);
    const [first, second] = [groups[a]!.members, groups[b]!.members];
    for (let other = 0; other < experts; other++) {
      if (other === a || other === b || !groups[other]) continue;
      const mean =
        (between[a * experts + other]! * first.length + between[b * experts + other]! * second.length) /
        (first.length + second.length);
      between[a * experts + other] = mean;
      between[other * experts + a] = mean;
    }
    groups[a] = { members: sideBySide(first, second, (i, j) => distances[i * experts + j]!) };
    groups[b] = undefined;
  }
  return groups.find((group) => group !== undefined)?.members ?? [];
}

/** @returns [experts, experts]. */
function distancesOf(profiles: Float32Array, experts: number): Float64Array {
  const width = experts > 0 ? profiles.length / experts : 0;
  const distances = new Float64Array(experts * experts);
  for (let a = 0; a < experts; a++) {
    for (let b = a + 1; b < experts; b++) {
      let sum = 0;
      for (let at = 0; at < width; at++) {
        const difference = (profiles[a * width + at] || 0) - (profiles[b * width + at] || 0);
        sum += difference * difference;
      }
      distances[a * experts + b] = distances[b * experts + a] = Math.sqrt(sum);
    }
  }
  return distances;
}

function nearestPair(between: Float64Array, groups: readonly unknown[], experts: number): [number, number] {
  let [best, a, b] = [Number.POSITIVE_INFINITY, 0, 0];
  for (let one = 0; one < experts; one++) {
    if (!groups[one]) continue;
    for (let other = one + 1; other < experts; other++) {
      if (groups[other] && between[one * experts + other]! < best)
        [best, a, b] = [between[one * experts + other]!, one, other];
    }
  }
  return [a, b];
}

/** Joins two rows of experts at the ends that are nearest to each other. */
function sideBySide(first: number[], second: number[], distance: (a: number, b: number) => number): number[] {
  const [a, b] = [first.toReversed(), second.toReversed()];
  const ways = [
    [first, second],
    [first, b],
    [a, second],
    [a, b],
  ] as const;
  const gap = ([left, right]: readonly [number[], number[]]) => distance(left.at(-1)!, right[0]!);
  const best = ways.reduce((found, way) => (gap(way) < gap(found) ? way : found));
  return best.flat();
}

/** A frame's values by expert. @param frame [domains, layers, experts]. @returns [experts, domains * layers]. */
export function expertProfiles(frame: Float32Array, experts: number): Float32Array {
  const width = frame.length / experts;
  const profiles = new Float32Array(frame.length);
  for (let at = 0; at < width; at++)
    for (let expert = 0; expert < experts; expert++) profiles[expert * width + at] = frame[at * experts + expert]!;
  return profiles;
}

export const asMixed = (experts: number): number[] => Array.from({ length: experts }, (_, index) => index);
