import { add, concat, gather, matMul, mul, reshape, split, type Tensor } from "@tensorflow/tfjs-core";
import type { Arithmetic } from "../../../ops/arithmetic.ts";
import { combine } from "../../../ops/combine.ts";
import { dispatch } from "../../../ops/dispatch.ts";
import { oneHot } from "../../../ops/oneHot.ts";
import { named, type Tensors } from "../../../ops/program.ts";
import { routeOrder } from "../../../ops/routeOrder.ts";
import {
  expertNames,
  type FeedForwardNames,
  moePrefix,
  routerBiasName,
  routerName,
} from "../../../parameters/names.ts";
import type { MoeConfig } from "../../../protocol/model.ts";
import { router } from "../../../routers/index.ts";
import type { RouterInput, Routing, Scores } from "../../../routers/router.ts";
import { type FeedForwardKind, feedForward, feedForwardBlock } from "../feedForward/forward.ts";
import { type Block, parametersOf } from "../recompute.ts";

/** A layer's routing decision and the scores that it is based on. */
export interface LayerRouting extends Routing, Scores {}

/** Settings shared by all blocks of a forward pass. */
export interface BlockPass {
  block: Block;
  arithmetic: Arithmetic;
  kind: FeedForwardKind;
}

/**
 * The Mixture-of-Experts block of one layer: the sum of gate * FF_expert(x) over the chosen experts, at most K per
 * token. BTX §3.2. Sparse: only the chosen experts are computed, and nothing for a token without an expert. If every
 * token chooses every expert (K = E), rows are not sorted.
 *
 * Takes x [N, D] and the router's other inputs. Returns the output [N, D], computed through `block`, and the routing.
 */
export function moe(
  x: Tensor,
  input: RouterInput,
  config: MoeConfig,
  { block, arithmetic, kind }: BlockPass,
): { output: Tensor; routing: LayerRouting } {
  const { params, layer, mask } = input;
  const masked = (scores: Tensor) => (mask ? add(scores, mask) : scores);
  const layerRouter = router(config.router);
  const scores = layerRouter.score?.(x, input) ?? linearScore(x, input);
  const logits = masked(scores.logits);
  const bias = config.router.balance === "bias" ? { bias: masked(named(params, routerBiasName(layer))) } : {};
  const routing = { ...scores, ...layerRouter.route({ ...input, logits, ...bias }), logits };
  const experts = config.experts.map((_, expert) => expertNames(layer, expert));
  const weights = parametersOf(params, `${moePrefix(layer)}.experts.`);
  const all = routing.gates.shape[1] === experts.length && !routing.mayHaveNoExpert;
  const gates = all ? routing.gateOfExpert : routing.gates;
  const output = block(x, { ...weights, gates }, (given, { gates: own, ...params }) =>
    all
      ? everyExpert(params, given, own!, experts, { arithmetic, kind })
      : chosenExperts(params, given, own!, routing, experts, { arithmetic, kind }),
  );
  return { output, routing };
}

/** The linear router: x W^T, x [N, D], W [E, D]. BTX §3.2. */
const linearScore = (x: Tensor, { params, layer }: RouterInput): Scores => ({
  logits: matMul(x, named(params, routerName(layer)), false, true),
});

/** Sum over all experts: x [N, D], gateOfExpert [N, E] -> [N, D]. */
function everyExpert(
  params: Tensors,
  x: Tensor,
  gateOfExpert: Tensor,
  experts: FeedForwardNames[],
  { arithmetic, kind }: Pick<BlockPass, "arithmetic" | "kind">,
): Tensor {
  const gates = split(gateOfExpert, experts.length, 1);
  return experts
    .map((names, e) => mul(feedForward(params, names, x, arithmetic, kind), gates[e]!))
    .reduce((sum, part) => add(sum, part));
}

/** Sum over the chosen experts: x [N, D], gates and choices [N, K] -> [N, D]. Rows without an expert (E) sort last. */
function chosenExperts(
  params: Tensors,
  x: Tensor,
  gates: Tensor,
  { experts: choices, mayHaveNoExpert }: Pick<Routing, "experts" | "mayHaveNoExpert">,
  experts: FeedForwardNames[],
  { arithmetic, kind }: Pick<BlockPass, "arithmetic" | "kind">,
): Tensor {
  const [tokens, k] = gates.shape as [number, number];
  const chosen = reshape(choices, [tokens * k]);
  const { order, inverse, sizes } = routeOrder(chosen, experts.length + (mayHaveNoExpert ? 1 : 0));

  const expertOfRow = () => oneHot(gather(chosen, order), experts.length);
  const rows = dispatch(arithmetic.operand(x), order, inverse, k);
  // Rows sorted by expert; applies each expert's linear layer to its rows: [S, in] -> [S, out].
  const output = feedForwardBlock(rows, kind, (part, y) => {
    const weights = experts.map((names) => named(params, `${names[part]}.weight`));
    const product = arithmetic.groupedMatMul(y, sizes, weights);
    const biasNames = experts.map((names) => `${names[part]}.bias`);
    if (!biasNames.some((name) => params[name])) return product;
    const biases = biasNames.map((name) => named(params, name));
    return add(product, matMul(expertOfRow(), reshape(concat(biases), [experts.length, product.shape[1]!])));
  });
  return combine(output, gates, order, inverse);
}
