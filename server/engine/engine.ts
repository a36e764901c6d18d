import type { Program, TensorSpecs, Values } from "../ops/program.ts";
import type { EngineName } from "../protocol/devices.ts";
import type { Store } from "./store.ts";

/** An engine on a device: makes programs ready to run. */
export interface Engine {
  readonly engine: EngineName;
  /** As an experiment's `devices` names it. */
  readonly device: string;
  /** For people: what computes, and with how many threads. */
  readonly description: string;
  /** Every operator costs a call to the device: programs do better with few large ones than with many small ones. */
  readonly fewCalls: boolean;
  /** Why kernel `Float16` is no use or not there, for people; undefined where it is. */
  whyNotFloat16(): Promise<string | undefined>;
  /** Makes `program` ready on the tensors of `store`, for batches of these shapes. */
  compile(program: Program, store: Store, batch: TensorSpecs, options?: CompileOptions): Promise<Runnable>;
}

/** What an engine is opened with. */
export interface OpenOptions {
  /** CPU threads of one operator. */
  threads: number;
  /** What the device is, for people: its name if left out. */
  name?: string;
}

export interface CompileOptions {
  /** Names of the store's tensors the program takes; all of them if left out. */
  state?: readonly string[];
  /** Nobody will change the state that the program leaves as it is: an engine may make it a part of the program. */
  constant?: boolean;
  /** Prefix of a file for a profile of every operator, where the engine writes one. */
  profile?: string;
}

/** A program made ready to run: batch in, results out; the state stays where it is. Results hold until the next run. */
export interface Runnable {
  run(batch: Record<string, Values>): Promise<Record<string, Values>>;
  dispose(): Promise<void>;
}
