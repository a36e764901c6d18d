import { sizeOf, type TensorSpecs, type Values } from "../program.ts";

interface Entry {
  shape: number[];
  dtype: "float32" | "int32";
  data: Values;
}

/**
 * The named tensors that stay between runs: parameters, moments, caches. Programs made ready on one store share them.
 */
export class Store {
  readonly #entries = new Map<string, Entry>();

  /** Adds a tensor, or replaces it. The store keeps `data` itself, not a copy. */
  set(name: string, shape: number[], data: Values): void {
    if (data.length !== sizeOf(shape)) throw new Error(`"${name}" has ${data.length} values for shape [${shape}]`);
    this.#entries.set(name, { shape, dtype: data instanceof Int32Array ? "int32" : "float32", data });
  }

  get(name: string): Entry {
    const entry = this.#entries.get(name);
    if (!entry) throw new Error(`the store has no tensor "${name}"`);
    return entry;
  }

  delete(name: string): void {
    this.#entries.delete(name);
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  specs(): TensorSpecs {
    return Object.fromEntries([...this.#entries].map(([name, { shape, dtype }]) => [name, { shape, dtype }]));
  }
}
