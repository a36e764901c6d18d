import type { Program, TensorSpecs, Values } from "../ops/program.ts";
import type { EngineName } from "../protocol/devices.ts";
import type { Store } from "./store.ts";

/** An engine on a device: compiles programs. */
export interface Engine {
  readonly engine: EngineName;
  /** Its name in an experiment's `devices`. */
  readonly device: string;
  /** Description for people: the hardware and the number of threads. */
  readonly description: string;
  /** Every operator costs a call to the device, so a few large operators are faster than many small ones. */
  readonly fewCalls: boolean;
  /** Why float16 (kernel `Float16`) is unavailable or useless on this device, for people; undefined if it helps. */
  whyNotFloat16(): Promise<string | undefined>;
  /** Compiles `program` for the tensors of `store` and for batches of these shapes. */
  compile(program: Program, store: Store, batch: TensorSpecs, options?: CompileOptions): Promise<Runnable>;
}

export interface OpenOptions {
  /** CPU threads per operator. */
  threads: number;
  /** Name of the device, for people; default: its name in `devices`. */
  name?: string;
}

export interface CompileOptions {
  /** Names of the store's tensors that the program reads; default: all. */
  state?: readonly string[];
  /** Nothing else changes the state that the program only reads, so an engine may compile it into the program. */
  constant?: boolean;
  /** Path prefix of a file for a per-operator profile, for engines that can write one. */
  profile?: string;
}

/**
 * A compiled program: takes a batch and returns results, which are valid until the next run. State stays in the store.
 */
export interface Runnable {
  run(batch: Record<string, Values>): Promise<Record<string, Values>>;
  dispose(): Promise<void>;
}
