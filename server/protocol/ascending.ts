/** Searches in ascending numbers, for code that thins out lines and code that draws them. */

/** The first index whose x is at least `value`; x ascends. */
export function firstAtLeast(x: Float64Array, value: number): number {
  let [low, high] = [0, x.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (x[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
