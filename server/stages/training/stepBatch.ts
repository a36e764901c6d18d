import { inputsAndTargets } from "../../data/sequences.ts";
import type { Values } from "../../ops/program.ts";
import type { ModelConfig } from "../../protocol/model.ts";

/** Sequences of one optimizer step. */
export interface StepBatch {
  /** [B, T + 1]: the first T columns are inputs, the last T are targets. */
  windows: Int32Array;
  /** [B]: the index of each sequence's domain. */
  domain: Int32Array;
  /** [Lmoe, B*T, E]: noise for sampling routers; absent for others. */
  noise?: Float32Array;
}

/** The rows of one part in every layer: x [layers, parts * n, ...] -> [layers, n, ...]. */
function partOfLayers(x: Float32Array, layers: number, part: number, parts: number): Float32Array {
  const size = x.length / layers / parts;
  const rows = new Float32Array(layers * size);
  for (let layer = 0; layer < layers; layer++) {
    const start = (layer * parts + part) * size;
    rows.set(x.subarray(start, start + size), layer * size);
  }
  return rows;
}

/** Micro-batch number `part`, from 0, of the `parts` equal ones into which a batch is cut. */
export function microBatch(
  { windows, domain, noise }: StepBatch,
  part: number,
  parts: number,
  config: ModelConfig,
): StepBatch {
  const cut = (x: Int32Array) => x.subarray((part * x.length) / parts, ((part + 1) * x.length) / parts);
  const layers = config.moe?.layers.length ?? 0;
  return {
    windows: cut(windows),
    domain: cut(domain),
    ...(noise ? { noise: partOfLayers(noise, layers, part, parts) } : {}),
  };
}

/** A step's sequences as a program's batch, in which every target counts. */
export function sequences({ windows, domain, noise }: StepBatch, config: ModelConfig): Record<string, Values> {
  const rows = domain.length;
  const weights = new Float32Array(rows * config.context).fill(1);
  return {
    ...inputsAndTargets(windows, rows, config.context),
    weights,
    ...(config.moe ? { domain } : {}),
    ...(noise ? { noise } : {}),
  };
}
