import { gather, mul, type Tensor, tensor2d } from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../../protocol/model.ts";

/**
 * Cosines and sines [B, T, headSize/2] of positions; B = 1 if all sequences share them. The query tables include the
 * factor 1 / sqrt(headSize).
 */
export interface RotaryTables {
  query: { cos: Tensor; sin: Tensor };
  key: { cos: Tensor; sin: Tensor };
}

/**
 * Table [length, headSize/2] of f(angle) for positions 0 to `length` - 1: element i is rotated by the angle
 * position * theta^(-2i / headSize).
 */
function angles(config: ModelConfig, length: number, f: (angle: number) => number): Tensor {
  const half = config.headSize / 2;
  const values = new Float32Array(length * half);
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < half; i++) {
      values[position * half + i] = f(position * config.ropeTheta ** (-i / half));
    }
  }
  return tensor2d(values, [length, half]);
}

/**
 * Rotary tables for positions [B or 1, T] int32, each from 0 to `length` - 1. Scaling the query tables scales the
 * queries at no extra cost.
 */
export function rotaryTables(config: ModelConfig, positions: Tensor, length: number): RotaryTables {
  const cos = gather(angles(config, length, Math.cos), positions as never);
  const sin = gather(angles(config, length, Math.sin), positions as never);
  const scale = 1 / Math.sqrt(config.headSize);
  return { key: { cos, sin }, query: { cos: mul(cos, scale), sin: mul(sin, scale) } };
}
