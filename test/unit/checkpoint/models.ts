import type { Checkpoint, Parameter } from "../../../server/checkpoint/saveCheckpoint.ts";
import { parameterShapes } from "../../../server/model/parameters.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";

/** A model whose every value is `value`. */
export function constantModel(config: ModelConfig, value: number): Checkpoint {
  const tensors = new Map<string, Parameter>();
  for (const [name, shape] of parameterShapes(config))
    tensors.set(name, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value) });
  return { config, tensors };
}
