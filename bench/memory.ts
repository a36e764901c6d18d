import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ModelConfig } from "../server/protocol/model.ts";
import { large } from "./program.ts";

/** A training step whose memory is measured: T is the model's context, B the sequences. */
export interface MemoryCase {
  config: ModelConfig;
  sequences: number;
  recompute?: true;
}

export interface MemoryUse {
  /** Most resident memory of a process that takes a few steps, bytes, all of Node.js and the runtime included. */
  peak: number;
  /** Parameters, gradients, moments and activations as `trainingMemory` counts them, bytes. */
  counted: number;
  /** Seconds of a step. */
  seconds: number;
}

const long: ModelConfig = { ...large, context: 2048 };

const cases: Record<string, MemoryCase> = {
  "4 x 256": { config: large, sequences: 4 },
  "1 x 2048": { config: long, sequences: 1 },
  "1 x 2048, recompute": { config: long, sequences: 1, recompute: true },
};

const worker = fileURLToPath(new URL("./memoryWorker.js", import.meta.url));

/** Memory of the 34.1 M model's training step, each case in a process of its own. */
export async function memoryUse(): Promise<Record<string, MemoryUse>> {
  const used: Record<string, MemoryUse> = {};
  for (const [name, each] of Object.entries(cases)) used[name] = await measured(each);
  return used;
}

const measured = (each: MemoryCase): Promise<MemoryUse> =>
  new Promise((resolve, reject) => {
    const child = fork(worker);
    child.once("message", (use) => resolve(use as MemoryUse));
    child.once("exit", (code) => reject(new Error(`a worker ended with code ${code}`)));
    child.send(each);
  });
