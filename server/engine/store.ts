import { sizeOf, type TensorSpec, type TensorSpecs, type Values } from "../ops/program.ts";

/** A tensor with its values on the host. */
export interface Entry extends TensorSpec {
  data: Values;
}

/** Values that a device holds. */
export interface DeviceValues {
  /** Brings a copy back to the host. */
  read(): Promise<Values>;
  /** Frees the device's memory. */
  dispose(): void;
}

interface Held extends TensorSpec {
  /** Absent where the newest values are on a device only. */
  data?: Values;
  /** Absent where no device has the newest values. */
  device?: DeviceValues;
}

/**
 * The named tensors that stay between runs: parameters, moments, caches. Programs made ready on one store share them.
 * What a program on a device has changed stays there until `read` brings it back.
 */
export class Store {
  readonly #entries = new Map<string, Held>();

  /** Adds a tensor, or replaces it. The store keeps `data` itself, not a copy. */
  set(name: string, shape: number[], data: Values): void {
    if (data.length !== sizeOf(shape)) throw new Error(`"${name}" has ${data.length} values for shape [${shape}]`);
    this.#entries.get(name)?.device?.dispose();
    this.#entries.set(name, { shape, dtype: data instanceof Int32Array ? "int32" : "float32", data });
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** The tensor with its values on the host. @throws where they are on a device only: `read` brings them back. */
  get(name: string): Entry {
    const { data, device: _, ...spec } = this.#held(name);
    if (!data) throw new Error(`the newest values of "${name}" are on a device`);
    return { ...spec, data };
  }

  /** The tensor with its newest values, wherever they are; the store keeps no copy of what comes back from a device. */
  async read(name: string): Promise<Entry> {
    const { data, device, ...spec } = this.#held(name);
    return { ...spec, data: data ?? (await device!.read()) };
  }

  /** The tensor's newest values on the device, if they are there. */
  device(name: string): DeviceValues | undefined {
    return this.#entries.get(name)?.device;
  }

  /**
   * Takes note of a copy of the newest values on a device. What the host then writes into its own is not seen there:
   * `set`.
   */
  copied(name: string, device: DeviceValues): void {
    this.#held(name).device = device;
  }

  /** Replaces the values of a tensor by newer ones on a device; the values before them are freed. */
  changed(name: string, device: DeviceValues): void {
    const { shape, dtype, device: old } = this.#held(name);
    this.#entries.set(name, { shape, dtype, device });
    old?.dispose();
  }

  delete(name: string): void {
    this.#entries.get(name)?.device?.dispose();
    this.#entries.delete(name);
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  specs(): TensorSpecs {
    return Object.fromEntries([...this.#entries].map(([name, { shape, dtype }]) => [name, { shape, dtype }]));
  }

  #held(name: string): Held {
    const held = this.#entries.get(name);
    if (!held) throw new Error(`the store has no tensor "${name}"`);
    return held;
  }
}
