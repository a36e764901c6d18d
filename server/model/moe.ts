import { add, concat, gather, matMul, mul, reshape, split, type Tensor } from "@tensorflow/tfjs-core";
import type { Arithmetic } from "../ops/arithmetic.ts";
import { combine } from "../ops/combine.ts";
import { dispatch } from "../ops/dispatch.ts";
import { oneHot } from "../ops/oneHot.ts";
import { named, type Tensors } from "../ops/program.ts";
import { routeOrder } from "../ops/routeOrder.ts";
import { swiGlu } from "../ops/swiGlu.ts";
import type { MoeConfig } from "../protocol/model.ts";
import { router } from "../routers/index.ts";
import type { Routing } from "../routers/router.ts";
import { type Block, parametersOf } from "./block.ts";
import { feedForward } from "./feedForward.ts";
import { expertNames, type FeedForwardNames, moePrefix, routerBiasName, routerName } from "./parameters.ts";
import type { LayerInputs } from "./routingInputs.ts";

/** What a layer's router decided, and from what. */
export interface LayerRouting extends Routing {
  /** [N, E] */
  logits: Tensor;
}

/**
 * The Mixture-of-Experts block of one layer: sum over the K chosen experts of gate * FF_expert(x). BTX §3.2.
 * Sparse: only chosen experts are computed; where all are chosen (K = E) nothing is sorted.
 *
 * x [N, D] and what the layer's router reads beside it; gives the output [N, D], which `block` computes, and the routing.
 */
export function moe(
  params: Tensors,
  layer: number,
  x: Tensor,
  { mask, ...input }: LayerInputs,
  config: MoeConfig,
  block: Block,
  arithmetic: Arithmetic,
): { output: Tensor; routing: LayerRouting } {
  const experts = config.experts.map((_, expert) => expertNames(layer, expert));
  const masked = (scores: Tensor) => (mask ? add(scores, mask) : scores);
  const logits = masked(matMul(x, named(params, routerName(layer)), false, true));
  const bias = config.router.balance === "bias" ? { bias: masked(named(params, routerBiasName(layer))) } : {};
  const routing = { ...router(config.router)({ ...input, logits, ...bias }), logits };
  const weights = parametersOf(params, `${moePrefix(layer)}.experts.`);
  const all = routing.gates.shape[1] === experts.length;
  const gates = all ? routing.gateOfExpert : routing.gates;
  const output = block(x, { ...weights, gates }, (given, own) =>
    all
      ? everyExpert(own, given, own.gates!, experts, arithmetic)
      : chosenExperts(own, given, own.gates!, routing.experts, experts, arithmetic),
  );
  return { output, routing };
}

/** gateOfExpert [N, E]; gives [N, D]. */
function everyExpert(
  params: Tensors,
  x: Tensor,
  gateOfExpert: Tensor,
  experts: FeedForwardNames[],
  arithmetic: Arithmetic,
): Tensor {
  const gates = split(gateOfExpert, experts.length, 1);
  return experts
    .map((names, e) => mul(feedForward(params, names, x, arithmetic), gates[e]!))
    .reduce((sum, part) => add(sum, part));
}

/** gates and choices [N, K]; gives [N, D]. */
function chosenExperts(
  params: Tensors,
  x: Tensor,
  gates: Tensor,
  choices: Tensor,
  experts: FeedForwardNames[],
  arithmetic: Arithmetic,
): Tensor {
  const [tokens, k] = gates.shape as [number, number];
  const chosen = reshape(choices, [tokens * k]);
  const { order, inverse, sizes } = routeOrder(chosen, experts.length);

  const expertOfRow = () => oneHot(gather(chosen, order), experts.length);
  /** rows [S, in], sorted by expert, each through its own expert's linear layer: [S, out]. */
  const linear = (part: "gate" | "up" | "down", rows: Tensor): Tensor => {
    const weightsOf = experts.map((names) => named(params, `${names[part]}.weight`));
    const product = arithmetic.groupedMatMul(rows, sizes, weightsOf);
    if (!params[`${experts[0]![part]}.bias`]) return product;
    const biases = concat(experts.map((names) => named(params, `${names[part]}.bias`)));
    return add(product, matMul(expertOfRow(), reshape(biases, [experts.length, product.shape[1]!])));
  };

  const rows = dispatch(arithmetic.operand(x), order, inverse, k);
  const hidden = swiGlu(linear("gate", rows), linear("up", rows));
  return combine(linear("down", hidden), gates, order, inverse);
}
