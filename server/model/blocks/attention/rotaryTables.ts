import { gather, mul, type Tensor, tensor2d } from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../../protocol/model.ts";
import { frequencies } from "./frequencies.ts";

/** Where the tokens of a pass stand. */
export interface Positions {
  /** [B, T] int32, or [1, T] if all sequences share them; each from 0 to `length` - 1. */
  ids: Tensor;
  length: number;
}

/**
 * Cosines and sines [B, T, W/2] of positions, W the width that is rotated; B = 1 if all sequences share them. The query
 * tables include the factor of the attention scores, 1 / sqrt(headSize) or `attentionScale`.
 */
export interface RotaryTables {
  query: { cos: Tensor; sin: Tensor };
  key: { cos: Tensor; sin: Tensor };
}

/** Factor of the attention scores. */
export const attentionScale = ({ attentionScale: scale, headSize }: ModelConfig): number =>
  scale ?? 1 / Math.sqrt(headSize);

/** Table [length, W/2] of f(position * angle). */
function table(angles: readonly number[], length: number, f: (angle: number) => number): Tensor {
  const values = new Float32Array(length * angles.length);
  for (let position = 0; position < length; position++)
    for (const [i, angle] of angles.entries()) values[position * angles.length + i] = f(position * angle);
  return tensor2d(values, [length, angles.length]);
}

/** Scaling the query tables scales the queries at no extra cost. */
function tablesOf(config: ModelConfig, { ids, length }: Positions): RotaryTables {
  const { angles, attention } = frequencies(config, length);
  const of = (f: (angle: number) => number) => {
    const found = gather(table(angles, length, f), ids as never);
    return attention === 1 ? found : mul(found, attention);
  };
  const [cos, sin] = [of(Math.cos), of(Math.sin)];
  const scale = attentionScale(config);
  return { key: { cos, sin }, query: { cos: mul(cos, scale), sin: mul(sin, scale) } };
}

/** Rotary tables of each layer; undefined for a layer that rotates nothing. */
export function rotaryTables(config: ModelConfig, positions: Positions): (layer: number) => RotaryTables | undefined {
  if (config.positions) return () => undefined;
  const all = tablesOf(config, positions);
  const { windowRopeTheta, withoutRope = [], window } = config;
  const { ropeScaling: _, ...unscaled } = config;
  const windowed =
    windowRopeTheta === undefined ? all : tablesOf({ ...unscaled, ropeTheta: windowRopeTheta }, positions);
  return (layer) => {
    if (withoutRope.includes(layer)) return undefined;
    return window?.layers.includes(layer) ? windowed : all;
  };
}
