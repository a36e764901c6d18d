import { availableParallelism, cpus } from "node:os";
import type { EngineName } from "../protocol/devices.ts";
import type { Program, Runnable, TensorSpecs } from "./program.ts";
import { type CompileOptions, compile } from "./runtime/compile.ts";
import type { Store } from "./runtime/store.ts";

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
  compile(
    program: Program,
    store: Store,
    batch: TensorSpecs,
    options?: Pick<CompileOptions, "state" | "constant" | "profile">,
  ): Promise<Runnable>;
}

/** What an engine is opened with. */
export interface OpenOptions {
  /** CPU threads of one operator. */
  threads: number;
  /** What the device is, for people. */
  name: string;
}

/** ONNX Runtime on the processor. @param threads of one operator */
export function cpuEngine(threads: number): Engine {
  const name = cpus()[0]?.model.trim() || process.arch;
  return {
    engine: "onnx",
    device: "cpu",
    description: `${name}, ${threads} of ${availableParallelism()} cores`,
    fewCalls: false,
    whyNotFloat16: async () => "the processor gains nothing by it",
    compile: (program, store, batch, options) => compile(program, store, batch, { ...options, threads }),
  };
}
