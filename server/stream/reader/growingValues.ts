/** The factor by which its memory grows: at most so much more than its values take. */
export const growth = 1.25;

/** A growable array of float64 values; NaN stands for a value that was not recorded. */
export class GrowingValues {
  #values = new Float64Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return this.#values.byteLength;
  }

  /** The last value; there must be at least one. */
  get last(): number {
    return this.#values[this.#length - 1]!;
  }

  /** The current values: a view that is valid until the next change. */
  get values(): Float64Array {
    return this.#values.subarray(0, this.#length);
  }

  /** Makes room for `count` values in all. */
  reserve(count: number): void {
    if (count <= this.#values.length) return;
    const grown = new Float64Array(Math.max(count, Math.ceil(this.#values.length * growth), 1024));
    grown.set(this.values);
    this.#values = grown;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) this.reserve(this.#length + 1);
    this.#values[this.#length++] = value;
  }

  /** Adds NaN up to `count` values in all. */
  padTo(count: number): void {
    if (count <= this.#length) return;
    this.reserve(count);
    this.#values.fill(Number.NaN, this.#length, count);
    this.#length = count;
  }

  /** Adds values at the front. */
  prepend(values: Float64Array<ArrayBuffer>): void {
    if (this.#length === 0) {
      this.#values = values;
      this.#length = values.length;
      return;
    }
    const joined = new Float64Array(values.length + this.#length);
    joined.set(values);
    joined.set(this.values, values.length);
    this.#values = joined;
    this.#length = joined.length;
  }

  /** Keeps the first `count` values. */
  cut(count: number): void {
    this.#length = Math.min(this.#length, count);
  }
}
