import type { Parameters } from "../model.ts";

/** Running sums in double precision, so that a mean over any number of models is rounded only once. */
export class Mean {
  readonly #sums = new Map<string, Float64Array>();
  #count = 0;

  add(parameters: Parameters): void {
    this.#count++;
    for (const [name, { data }] of parameters) {
      const sum = this.#sums.get(name);
      if (!sum) this.#sums.set(name, Float64Array.from(data));
      else for (let i = 0; i < data.length; i++) sum[i]! += data[i]!;
    }
  }

  has(name: string): boolean {
    return this.#sums.has(name);
  }

  /** The mean of one parameter over all added models. */
  of(name: string): Float32Array {
    return Float32Array.from(this.#sums.get(name)!, (sum) => sum / this.#count);
  }
}
