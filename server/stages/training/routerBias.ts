import type { Store } from "../../engine/store.ts";
import { isFrozen } from "../../parameters/freeze.ts";
import { routerBiasName } from "../../parameters/names.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import type { Freeze } from "../../protocol/stage.ts";

/** Default of `biasRate`, the change of a bias per step: u of arXiv 2408.15664. */
const BIAS_RATE = 1e-3;

/** Routing statistics of a step, each [Lmoe, Domains, E]. */
interface Load {
  routedTokens?: ArrayLike<number>;
  droppedTokens?: ArrayLike<number>;
}

/** Number of tokens that chose each expert of a layer, over all domains and including dropped ones: [E]. */
function chosenOf(load: Load, layer: number, layers: number, experts: number): number[] {
  const chosen = new Array<number>(experts).fill(0);
  for (const counts of [load.routedTokens, load.droppedTokens]) {
    if (!counts) continue;
    const size = counts.length / layers;
    for (let i = 0; i < size; i++) chosen[i % experts]! += counts[layer * size + i]!;
  }
  return chosen;
}

/**
 * Loss-free balancing: after a step each expert's bias moves against its load, b_e += rate * sign(mean(c) - c_e), where
 * c_e is the number of tokens in the batch that chose expert e in the layer. arXiv 2408.15664, algorithm 1. Does
 * nothing if load is balanced in another way or the routers are frozen.
 */
export async function updateRouterBiases(
  store: Store,
  config: ModelConfig,
  load: Load,
  freeze?: Freeze,
): Promise<void> {
  const { moe } = config;
  if (moe?.router.balance !== "bias" || isFrozen({ group: "router" }, freeze)) return;
  const rate = moe.router.biasRate ?? BIAS_RATE;
  for (const [position, layer] of moe.layers.entries()) {
    const name = routerBiasName(layer);
    const chosen = chosenOf(load, position, moe.layers.length, moe.experts.length);
    const mean = chosen.reduce((sum, count) => sum + count, 0) / chosen.length;
    const { shape, data } = await store.read(name);
    store.set(
      name,
      shape,
      Float32Array.from(data, (bias, expert) => bias + rate * Math.sign(mean - chosen[expert]!)),
    );
  }
}
