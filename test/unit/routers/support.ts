import * as tf from "@tensorflow/tfjs-core";
import type { RouteInput } from "../../../server/routers/router.ts";

/** What a router reads in training, for N tokens that all count. */
export const inputOf = (logits: tf.Tensor, more: Partial<RouteInput> = {}): RouteInput => ({
  logits,
  params: {},
  layer: 0,
  tokenIds: tf.zeros([logits.shape[0]!], "int32"),
  stage: "learn",
  weights: tf.ones([logits.shape[0]!, 1]),
  position: 0,
  mode: "training",
  ...more,
});

/** softmax of plain numbers. */
export function softmaxOf(row: number[]): number[] {
  const exps = row.map(Math.exp);
  const total = exps.reduce((sum, x) => sum + x, 0);
  return exps.map((x) => x / total);
}

/** Column means of rows. */
export const meanOf = (rows: number[][]): number[] =>
  rows[0]!.map((_, e) => rows.reduce((sum, row) => sum + row[e]!, 0) / rows.length);

export const dot = (a: number[], b: number[]): number => a.reduce((sum, x, e) => sum + x * b[e]!, 0);
