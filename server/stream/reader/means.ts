/** Values per stored sum; the remaining values of a range are summed on demand. */
const block = 64;

/** Moving means, and the mean of any range of an append-only array, in constant time. NaN values are ignored. */
export class Means {
  #values: Float64Array = new Float64Array(0);
  /** sums[i] and counts[i]: of the first i * block values. */
  #sums = new Float64Array(1);
  #counts = new Float64Array(1);
  /** Blocks that are complete. */
  #blocks = 0;

  /** Bytes of memory that its sums take. */
  get bytes(): number {
    return this.#sums.byteLength + this.#counts.byteLength;
  }

  /** Processes values added at the end; `values` are all of them. */
  extend(values: Float64Array): void {
    this.#values = values;
    const wanted = Math.floor(values.length / block);
    if (this.#sums.length <= wanted) {
      this.#sums = larger(this.#sums, wanted + 1);
      this.#counts = larger(this.#counts, wanted + 1);
    }
    for (; this.#blocks < wanted; this.#blocks++) {
      let [sum, count] = [0, 0];
      for (let at = this.#blocks * block, end = at + block; at < end; at++) {
        const value = values[at]!;
        if (Number.isNaN(value)) continue;
        sum += value;
        count++;
      }
      this.#sums[this.#blocks + 1] = this.#sums[this.#blocks]! + sum;
      this.#counts[this.#blocks + 1] = this.#counts[this.#blocks]! + count;
    }
  }

  /** Discards everything at and after `count`. */
  cut(count: number): void {
    this.#values = this.#values.subarray(0, count);
    this.#blocks = Math.min(this.#blocks, Math.floor(count / block));
  }

  /** How many of values[from, to) are not NaN. */
  count(from: number, to: number): number {
    return this.#total(from, to).count;
  }

  /** The mean of values[from, to); NaN if they are all NaN. */
  mean(from: number, to: number): number {
    const { sum, count } = this.#total(from, to);
    return sum / count;
  }

  /**
   * The mean of `window` values around `at`. Towards the start, where a loss falls fast, the window shrinks on both
   * sides; at the end it only loses its right part, so that the last value is a mean too.
   */
  around(at: number, window: number): number {
    const reach = Math.min(Math.floor(window / 2), at);
    return this.mean(at - reach, Math.min(at + reach + 1, this.#values.length));
  }

  #total(from: number, to: number): { sum: number; count: number } {
    const [first, last] = [Math.ceil(from / block), Math.min(Math.floor(to / block), this.#blocks)];
    const total = { sum: 0, count: 0 };
    if (first >= last) {
      this.#add(from, to, total);
      return total;
    }
    total.sum = this.#sums[last]! - this.#sums[first]!;
    total.count = this.#counts[last]! - this.#counts[first]!;
    this.#add(from, first * block, total);
    this.#add(last * block, to, total);
    return total;
  }

  #add(from: number, to: number, total: { sum: number; count: number }): void {
    for (let at = from; at < to; at++) {
      const value = this.#values[at]!;
      if (Number.isNaN(value)) continue;
      total.sum += value;
      total.count++;
    }
  }
}

function larger(old: Float64Array, wanted: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(Math.max(wanted, Math.ceil(old.length * 1.5)));
  grown.set(old);
  return grown;
}
