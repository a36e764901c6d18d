import { sizeOf, type TensorSpec, type TensorSpecs, type Values } from "../ops/program.ts";

/** A tensor with its values on the host. */
export interface Entry extends TensorSpec {
  data: Values;
}

/** Values that a device holds. */
export interface DeviceValues {
  /** Copies the values to the host. */
  read(): Promise<Values>;
  /** Frees the device's memory. */
  dispose(): void;
}

interface Held extends TensorSpec {
  /** Absent if only a device has the newest values. */
  data?: Values;
  /** Absent if no device has the newest values. */
  device?: DeviceValues;
}

/**
 * The named tensors that persist between runs: parameters, moments, caches. Programs compiled for one store share them.
 * Values that a program changes on a device stay there until `read` copies them to the host.
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

  /** The tensor with its values on the host. @throws Error if only a device has its newest values; see `read` */
  get(name: string): Entry {
    const { data, device: _, ...spec } = this.#held(name);
    if (!data) throw new Error(`the newest values of "${name}" are on a device`);
    return { ...spec, data };
  }

  /** The tensor with its newest values, wherever they are; values copied from a device are not kept in the store. */
  async read(name: string): Promise<Entry> {
    const { data, device, ...spec } = this.#held(name);
    return { ...spec, data: data ?? (await device!.read()) };
  }

  /** The tensor's newest values on the device, if they are there. */
  device(name: string): DeviceValues | undefined {
    return this.#entries.get(name)?.device;
  }

  /**
   * Registers a device's copy of the newest values. Later writes to the host's array do not reach it; use `set`
   * instead.
   */
  addDeviceCopy(name: string, device: DeviceValues): void {
    this.#held(name).device = device;
  }

  /** Replaces a tensor's values with newer ones on a device and frees the previous device values. */
  replaceOnDevice(name: string, device: DeviceValues): void {
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
