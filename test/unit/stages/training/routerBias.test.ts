import { describe, expect, test } from "vitest";
import { cpuEngine } from "../../../../server/engine/onnx/engine.ts";
import { Store } from "../../../../server/engine/store.ts";
import { routerBiasName, routerName } from "../../../../server/parameters/names.ts";
import type { ModelConfig, RouterConfig } from "../../../../server/protocol/model.ts";
import { nextToken } from "../../../../server/stages/training/nextToken.ts";
import { openOptimizer } from "../../../../server/stages/training/optimizer.ts";
import { beginMoments } from "../../../../server/stages/training/phases.ts";
import { updateRouterBiases } from "../../../../server/stages/training/routerBias.ts";
import type { StepResult } from "../../../../server/stages/training/stepResult.ts";
import { ints } from "../../../fixtures/engine.ts";
import { storeOf } from "../../../fixtures/models.ts";
import { tiny, training } from "../support.ts";

const router: RouterConfig = { type: "top-k", k: 1, loadBalance: 0, balance: "bias", biasRate: 0.25 };
const withRouter = (config: RouterConfig, layers = [0, 1]): ModelConfig => ({
  ...tiny,
  vocab: 19,
  context: 8,
  moe: { experts: ["a", "b", "c"], layers, router: config },
});

/** Biases of layers 0 and 1, and what two domains sent to the three experts there. */
function storeWithBiases(): Store {
  const store = new Store();
  store.set(routerBiasName(0), [3], Float32Array.of(0, 0, 0));
  store.set(routerBiasName(1), [3], Float32Array.of(1, -1, 0.5));
  return store;
}
const routedTokens = Float64Array.of(...[5, 0, 1, 2, 3, 1], ...[4, 1, 1, 0, 3, 3]);
const biases = (store: Store) => [0, 1].map((layer) => [...store.get(routerBiasName(layer)).data]);

describe("the rule", () => {
  test("moves each bias against its expert's load, summed over domains, and none at the mean", async () => {
    const store = storeWithBiases();
    // Layer 0: 7, 3, 2 tokens of 4 on average; layer 1: 4, 4, 4.
    await updateRouterBiases(store, withRouter(router), { routedTokens });
    expect(biases(store)).toEqual([
      [-0.25, 0.25, 0.25],
      [1, -1, 0.5],
    ]);
  });

  test("counts tokens that an expert was too full for", async () => {
    const store = storeWithBiases();
    const droppedTokens = Float64Array.of(...[0, 0, 0, 0, 0, 3], ...[0, 0, 6, 0, 0, 0]);
    // Layer 0: 7, 3, 5 of 5; layer 1: 4, 4, 10 of 6.
    await updateRouterBiases(store, withRouter(router), { routedTokens, droppedTokens });
    expect(biases(store)).toEqual([
      [-0.25, 0.25, 0],
      [1.25, -0.75, 0.25],
    ]);
  });

  test("has a rate of 0.001 where none is given", async () => {
    const { biasRate: _, ...unrated } = router;
    const store = storeWithBiases();
    await updateRouterBiases(store, withRouter(unrated as RouterConfig), { routedTokens });
    expect(biases(store)[0]).toEqual([-0.001, 0.001, 0.001].map(Math.fround));
  });

  test("holds for routers balanced by a bias and not frozen, no others", async () => {
    const store = storeWithBiases();
    const before = biases(store);
    await updateRouterBiases(store, withRouter(router), { routedTokens }, ["attention", "router"]);
    await updateRouterBiases(store, withRouter({ type: "top-k", k: 1, loadBalance: 0.1 }), { routedTokens });
    await updateRouterBiases(store, tiny, {});
    expect(biases(store)).toEqual(before);
    await updateRouterBiases(store, withRouter(router), { routedTokens }, ["attention"]);
    expect(biases(store)).not.toEqual(before);
  });
});

/** Tokens of a step by expert, of a model with one Mixture-of-Experts layer. */
const byExpert = ({ routedTokens: counts }: StepResult) => [0, 1, 2].map((e) => counts![e]! + counts![3 + e]!);

/** Steps on batches of random text; nothing is learned, the biases alone move. */
async function steps(microBatch: number, count: number): Promise<{ store: Store; results: StepResult[] }> {
  const config = withRouter({ ...router, biasRate: 0.02 }, [0]);
  const store = storeOf(config);
  // Larger router weights and a lift of expert 0, so that the choice is decided and skewed.
  store.get(routerName(0)).data.forEach((weight, i, all) => {
    all[i] = 20 * weight;
  });
  store.get(routerBiasName(0)).data[0] = 0.6;
  beginMoments(store, config);
  const still = { ...training, microBatch, weightDecay: 0 };
  const { step, dispose } = await openOptimizer(
    store,
    {
      config,
      training: still,
      domains: 2,
      engine: cpuEngine(1),
      steps: count,
      randomSeed: 1,
    },
    nextToken,
  );
  const results: StepResult[] = [];
  for (let i = 1; i <= count; i++) {
    const windows = ints([4, config.context + 1], i, config.vocab).data as Int32Array;
    results.push(await step({ windows, domain: Int32Array.of(0, 1, 1, 0) }, i, 0));
  }
  await dispose();
  return { store, results };
}

describe("in training", () => {
  test.each([4, 2])("each step moves the biases by its batch's load, with micro-batches of %i", async (microBatch) => {
    const { store, results } = await steps(microBatch, 5);
    const expected = [0.6, 0, 0].map(Math.fround);
    for (const result of results) {
      const counts = byExpert(result);
      const mean = (4 * 8) / 3;
      counts.forEach((count, e) => {
        expected[e] = Math.fround(expected[e]! + 0.02 * (count < mean ? 1 : -1));
      });
    }
    expect([...store.get(routerBiasName(0)).data]).toEqual(expected);
  });

  test("a skewed load evens out", async () => {
    const { results } = await steps(4, 80);
    const largestShare = (some: StepResult[]) => {
      const sums = some.map(byExpert).reduce((a, b) => a.map((x, e) => x + b[e]!));
      return Math.max(...sums) / sums.reduce((a, b) => a + b);
    };
    expect(largestShare(results.slice(0, 5))).toBeGreaterThan(0.6);
    expect(largestShare(results.slice(-20))).toBeLessThan(0.4);
  });
});
