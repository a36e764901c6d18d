import { expect, test } from "vitest";
import type { Store } from "../../../../server/engine/runtime/store.ts";
import { parameterShapes } from "../../../../server/model/parameters.ts";
import type { ModelConfig } from "../../../../server/protocol/model.ts";
import {
  freshMoments,
  optimizer,
  type StepBatch,
  type StepResult,
  trainedNames,
} from "../../../../server/stages/training/programs.ts";
import { expectClose, ints } from "../../../fixtures/engine.ts";
import { storeOf } from "../../../fixtures/models.ts";
import { tiny, training } from "../support.ts";

const dense: ModelConfig = { ...tiny, layers: 1, vocab: 19, context: 8 };
/** Without load balancing, whose value is one of each micro-batch. */
const mixture: ModelConfig = {
  ...dense,
  moe: { experts: ["a", "b", "c"], layers: [0], router: { type: "top-k", k: 2, loadBalance: 0 } },
};

const batchOf = (step: number): StepBatch => ({
  tokens: ints([4, dense.context + 1], step, dense.vocab).data as Int32Array,
  domain: Int32Array.of(0, 1, 1, 0),
});

/** A few optimizer steps; what each reports, and the store they end with. */
async function steps(
  config: ModelConfig,
  microBatch: number,
  count = 3,
): Promise<{ store: Store; results: StepResult[] }> {
  const store = storeOf(config);
  freshMoments(store, config);
  const { step, dispose } = await optimizer(store, config, { ...training, microBatch }, 2, 1);
  const results: StepResult[] = [];
  for (let i = 1; i <= count; i++) results.push(await step(batchOf(i), i, 5e-3));
  await dispose();
  return { store, results };
}

test.each([
  ["dense model", dense, 1],
  ["dense model", dense, 2],
  ["mixture-of-experts", mixture, 1],
])("gradients of a %s accumulated over micro-batches give the update of the whole batch", async (_, config, microBatch) => {
  const [whole, parts] = [await steps(config, 4), await steps(config, microBatch)];
  for (const [i, expected] of whole.results.entries()) {
    const found = parts.results[i]!;
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
    expect(found.loss).toBeCloseTo(expected.loss, 5);
    expect(found.gradientNorm / expected.gradientNorm).toBeCloseTo(1, 4);
    if (expected.routedTokens) {
      expect([...found.routedTokens!]).toEqual([...expected.routedTokens]);
      expectClose(Float32Array.from(found.gateMass!), Float32Array.from(expected.gateMass!), 1e-4);
    }
  }
  const untouched = storeOf(config);
  for (const name of parameterShapes(config).keys())
    expect(whole.store.get(name).data).not.toEqual(untouched.get(name).data);
  for (const name of trainedNames(config)) expectClose(parts.store.get(name).data, whole.store.get(name).data, 2e-4);
  // The accumulated gradients have left the store.
  expect(parts.store.names().sort()).toEqual(trainedNames(config).sort());
});

test("a step of a mixture-of-experts counts its routing by domain and reports its load balancing", async () => {
  const moe = { ...mixture.moe!, router: { type: "top-k" as const, k: 2, loadBalance: 0.01 } };
  const { results } = await steps({ ...mixture, moe }, 4, 1);
  const routed = results[0]!.routedTokens!;
  // [Lmoe, Domains, E]: two sequences of each domain, two experts a token.
  for (const domain of [0, 1]) {
    const ofExperts = routed.slice(domain * 3, domain * 3 + 3);
    expect(ofExperts.reduce((sum, x) => sum + x, 0)).toBe(2 * 2 * dense.context);
  }
  // At perfect balance 0.01, with all tokens on one expert three times that.
  expect(results[0]!.loadBalance).toBeGreaterThan(0.0075);
  expect(results[0]!.loadBalance).toBeLessThan(0.03);
});
