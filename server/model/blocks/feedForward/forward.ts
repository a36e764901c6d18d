import { mul, type Tensor } from "@tensorflow/tfjs-core";
import type { Arithmetic } from "../../../ops/arithmetic.ts";
import { gelu, geluTanh } from "../../../ops/gelu.ts";
import type { Tensors } from "../../../ops/program.ts";
import { silu, swiGlu } from "../../../ops/swiGlu.ts";
import type { FeedForwardNames } from "../../../parameters/names.ts";
import type { ModelConfig } from "../../../protocol/model.ts";
import { linear } from "../linear.ts";

/** Applies one of a block's linear layers: x [rows, in] -> [rows, out]. */
export type ApplyLinear = (part: keyof FeedForwardNames, x: Tensor) => Tensor;

/** What a model says about its feed-forward blocks. */
export type FeedForwardKind = Pick<ModelConfig, "activation" | "gated">;

const activations = { silu, gelu, "gelu-tanh": geluTanh };

/**
 * A feed-forward block with the linear layers that `apply` applies: x [rows, D] -> [rows, D]. With a gate
 * down(activation(gate(x)) * up(x)), as SwiGLU (Shazeer, arXiv 2002.05202); without one down(activation(up(x))).
 */
export function feedForwardBlock(x: Tensor, { activation, gated }: FeedForwardKind, apply: ApplyLinear): Tensor {
  const activate = activations[activation ?? "silu"];
  if (gated === false) return apply("down", activate(apply("up", x)));
  const [gate, up] = [apply("gate", x), apply("up", x)];
  return apply("down", activation === undefined ? swiGlu(gate, up) : mul(activate(gate), up));
}

/** The feed-forward block of a dense layer or of one expert: x [N, D] -> [N, D]. */
export const feedForward = (
  params: Tensors,
  names: FeedForwardNames,
  x: Tensor,
  arithmetic: Arithmetic,
  kind: FeedForwardKind,
): Tensor => feedForwardBlock(x, kind, (part, y) => linear(params, names[part], y, arithmetic));
