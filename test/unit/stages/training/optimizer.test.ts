import { describe, expect, test } from "vitest";
import { cpuEngine } from "../../../../server/engine/onnx/engine.ts";
import type { Store } from "../../../../server/engine/store.ts";
import { eager } from "../../../../server/engine/tfjs/eager.ts";
import { sequenceBatch } from "../../../../server/model/loss.ts";
import { gumbelNoise } from "../../../../server/model/noise.ts";
import { adamWInputs, optimizerInputs } from "../../../../server/model/optimizer.ts";
import { parameterShapes } from "../../../../server/model/parameters.ts";
import { accumulate, firstMomentName, gradientShapes, trainStep } from "../../../../server/model/trainStep.ts";
import type { TensorSpecs } from "../../../../server/ops/program.ts";
import { routerName } from "../../../../server/parameters/names.ts";
import type { ModelConfig, RouterConfig } from "../../../../server/protocol/model.ts";
import type { ParameterGroup } from "../../../../server/protocol/stage.ts";
import { nextToken } from "../../../../server/stages/training/nextToken.ts";
import { openOptimizer } from "../../../../server/stages/training/optimizer.ts";
import { beginMoments, stateNames } from "../../../../server/stages/training/phases.ts";
import { type StepBatch, sequences } from "../../../../server/stages/training/stepBatch.ts";
import type { StepResult } from "../../../../server/stages/training/stepResult.ts";
import { expectClose, ints } from "../../../fixtures/engine.ts";
import { storeOf } from "../../../fixtures/models.ts";
import { tiny, training } from "../support.ts";

const dense: ModelConfig = { ...tiny, layers: 1, vocab: 19, context: 8 };
const mixtureOf = (router: RouterConfig, layers = [0]): ModelConfig => ({
  ...dense,
  layers: layers.length,
  moe: { experts: ["a", "b", "c"], layers, router },
});
/** Without load balancing, whose value is one of each micro-batch. */
const mixture = mixtureOf({ type: "top-k", k: 2, loadBalance: 0 });

const batchOf = (step: number): StepBatch => ({
  windows: ints([4, dense.context + 1], step, dense.vocab).data as Int32Array,
  domain: Int32Array.of(0, 1, 1, 0),
});

interface Options {
  count?: number;
  freeze?: ParameterGroup[];
  randomSeed?: number;
  learningRate?: number;
  /** The first of the `count` steps, of 10. */
  first?: number;
  /** Of steps; itself where left out. */
  batch?: (step: number) => StepBatch;
}

/** A store of parameters whose routers are decided. */
function decided(config: ModelConfig): Store {
  const store = storeOf(config);
  for (const layer of config.moe?.layers ?? [])
    store.get(routerName(layer)).data.forEach((weight, i, all) => {
      all[i] = 20 * weight;
    });
  return store;
}

/** A few optimizer steps; what each reports, and the store they end with. */
async function steps(
  config: ModelConfig,
  microBatch: number,
  options: Options = {},
): Promise<{ store: Store; results: StepResult[] }> {
  const { count = 3, freeze, randomSeed = 1, learningRate = 5e-3, first = 1, batch = batchOf } = options;
  const store = decided(config);
  beginMoments(store, config, { freeze });
  const job = {
    config,
    training: { ...training, microBatch, ...(freeze ? { freeze } : {}) },
    domains: 2,
    engine: cpuEngine(1),
    steps: 10,
    randomSeed,
  };
  const { step, dispose } = await openOptimizer(store, job, nextToken);
  const results: StepResult[] = [];
  for (let i = first; i < first + count; i++) results.push(await step(batch(i), i, learningRate));
  await dispose();
  return { store, results };
}

function expectSameSteps(parts: StepResult[], whole: StepResult[]): void {
  for (const [i, expected] of whole.entries()) {
    const found = parts[i]!;
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
    expect(found.loss).toBeCloseTo(expected.loss, 5);
    expect(found.gradientNorm / expected.gradientNorm).toBeCloseTo(1, 4);
    expect(Object.keys(found.auxiliary)).toEqual(Object.keys(expected.auxiliary));
    for (const [name, value] of Object.entries(expected.auxiliary)) expect(found.auxiliary[name]).toBeCloseTo(value, 5);
    if (expected.routedTokens) {
      expect([...found.routedTokens!]).toEqual([...expected.routedTokens]);
      expectClose(Float32Array.from(found.gateMass!), Float32Array.from(expected.gateMass!), 1e-4);
    }
  }
}

const drawing: RouterConfig = { type: "sample-top-1", temperatureRate: 3, minTemperature: 0.5, loadBalance: 0 };

describe("gradients accumulated over micro-batches give the update of the whole batch", () => {
  test.each<[string, ModelConfig, number, ParameterGroup[]?]>([
    ["a dense model", dense, 1],
    ["a dense model", dense, 2],
    ["a Mixture-of-Experts", mixture, 1],
    ["frozen experts and embeddings", mixture, 2, ["experts", "embeddings"]],
    ["routers that draw, which draw the same", mixtureOf(drawing, [0, 1]), 2],
  ])("%s", async (_, config, microBatch, freeze) => {
    const options: Options = freeze ? { freeze } : {};
    const [whole, parts] = [await steps(config, 4, options), await steps(config, microBatch, options)];
    expectSameSteps(parts.results, whole.results);
    const untouched = decided(config);
    for (const name of parameterShapes(config).keys()) {
      const isFrozen = freeze && /experts|embed|lm_head/.test(name);
      if (isFrozen) expect(whole.store.get(name).data).toEqual(untouched.get(name).data);
      else expect(whole.store.get(name).data).not.toEqual(untouched.get(name).data);
    }
    for (const name of stateNames(config, freeze))
      expectClose(parts.store.get(name).data, whole.store.get(name).data, 2e-4);
    // The accumulated gradients have left the store.
    expect(parts.store.names().sort()).toEqual(stateNames(config, freeze).sort());
  });
});

test("steps with frozen groups are those of the same program run eagerly", async () => {
  const freeze: ParameterGroup[] = ["experts", "attention"];
  const config = mixtureOf({ type: "top-k", k: 2, loadBalance: 0.1 });
  const { store, results } = await steps(config, 4, { freeze });
  const slow = decided(config);
  beginMoments(slow, config, { freeze });
  const specs: TensorSpecs = sequenceBatch(config, 4);
  for (const name of optimizerInputs) specs[name] = { shape: [], dtype: "float32" };
  const oracle = eager(trainStep(config, { ...training, freeze }, 2), slow, specs, { backend: "cpu" });
  for (const [i, result] of results.entries()) {
    const numbers = Object.entries(adamWInputs(i + 1, 5e-3, training)).map(([name, x]) => [name, Float32Array.of(x)]);
    const wanted = await oracle.run({ ...sequences(batchOf(i + 1), config), ...Object.fromEntries(numbers) });
    expect(result.loss).toBeCloseTo(wanted.loss![0]!, 5);
    expect(result.gradientNorm).toBeCloseTo(wanted.gradientNorm![0]!, 4);
  }
  expect(slow.names().sort()).toEqual(store.names().sort());
  for (const name of slow.names()) expectClose(store.get(name).data, slow.get(name).data, 1e-3);
});

describe("balancing over the batch", () => {
  /** Micro-batches that differ: the second half of the batch is one token over and over. */
  const uneven = (step: number): StepBatch => {
    const batch = batchOf(step);
    return { ...batch, windows: batch.windows.map((token, i) => (i < batch.windows.length / 2 ? token : 3)) };
  };
  /** The gradients of one step, which the first moments are before anything else is in them. */
  const gradientsOf = ({ store }: { store: Store }, config: ModelConfig) =>
    [...parameterShapes(config).keys()].map((name) => store.get(firstMomentName(name)).data);
  const balanced: RouterConfig[] = [
    { type: "top-k", k: 2, loadBalance: 1 },
    { type: "top-k", k: 2, loadBalance: 1, balance: "switch", zLoss: 0.1 },
    { type: "soft", loadBalance: 1 },
    { ...drawing, loadBalance: 1 },
  ];

  test.each(
    balanced.flatMap((router) =>
      [1, 2].map((microBatch) => ({ ...router, title: `${router.type}, ${router.balance ?? "btx"}`, microBatch })),
    ),
  )("$title: micro-batches of $microBatch have the gradients of one", async (row) => {
    const { title: _, microBatch, ...router } = row;
    const config = mixtureOf({ ...router, balanceOver: "batch" } as RouterConfig, [0, 1]);
    const once: Options = { count: 1, batch: uneven };
    const [whole, parts] = [await steps(config, 4, once), await steps(config, microBatch, once)];
    expectSameSteps(parts.results, whole.results);
    gradientsOf(whole, config).forEach((gradient, i) => {
      expectClose(gradientsOf(parts, config)[i]!, gradient, 2e-5);
    });
    expect(parts.store.names().sort()).toEqual(stateNames(config).sort());
  });

  test("differs from balancing over each micro-batch, and costs less where micro-batches differ", async () => {
    const config = mixtureOf(balanced[0]!);
    const whole = mixtureOf({ ...balanced[0]!, balanceOver: "batch" });
    const once: Options = { count: 1, batch: uneven };
    const [each, over] = [await steps(config, 2, once), await steps(whole, 2, once)];
    expect(each.results[0]!.loss).toBeCloseTo(over.results[0]!.loss, 5);
    expect(each.results[0]!.auxiliary.loadBalance! - over.results[0]!.auxiliary.loadBalance!).toBeGreaterThan(0.01);
    const router = firstMomentName(routerName(0));
    const [a, b] = [each, over].map(({ store }) => store.get(router).data);
    const difference = Math.hypot(...Array.from(a!, (x, i) => x - b![i]!)) / Math.hypot(...b!);
    expect(difference).toBeGreaterThan(0.01);
  });
});

describe("routers that draw", () => {
  const config = mixtureOf(drawing, [0, 1]);
  const same = () => batchOf(1);
  const lossesOf = async (options: Options) =>
    (await steps(config, 4, { batch: same, learningRate: 0, ...options })).results.map(({ loss }) => loss);

  test("get the noise of seed and step, and the share of steps that are done", async () => {
    const { results } = await steps(config, 4, { batch: same, learningRate: 0, first: 6, count: 2, randomSeed: 5 });
    const store = decided(config);
    for (const [name, shape] of gradientShapes(config))
      store.set(name, shape, new Float32Array(shape.reduce((product, size) => product * size, 1)));
    const oracle = eager(accumulate(config, 2, { first: true }), store, sequenceBatch(config, 4), { backend: "cpu" });
    for (const [i, step] of [6, 7].entries()) {
      const noise = gumbelNoise(config, 4 * config.context, 5, step);
      const inputs = { ...sequences({ ...same(), noise }, config), progress: Float32Array.of((step - 1) / 10) };
      const wanted = await oracle.run(inputs);
      expect(results[i]!.loss).toBeCloseTo(wanted.loss![0]!, 5);
      expect([...results[i]!.routedTokens!]).toEqual([...wanted.routedTokens!]);
      expectClose(Float32Array.from(results[i]!.gateMass!), wanted.gateMass!, 1e-4);
    }
  });

  test("draw anew each step, and the same where a step is taken again", async () => {
    const three = await lossesOf({ count: 3, first: 4 });
    expect(new Set(three).size).toBe(3);
    expect(await lossesOf({ count: 2, first: 5 })).toEqual(three.slice(1));
    expect(await lossesOf({ count: 3, first: 4, randomSeed: 2 })).not.toEqual(three);
  });
});

test("a step of a mixture-of-experts counts its routing by domain and reports its load balancing", async () => {
  const { results } = await steps(mixtureOf({ type: "top-k", k: 2, loadBalance: 0.01 }), 4, { count: 1 });
  const { routedTokens: routed, auxiliary, droppedTokens } = results[0]!;
  // [Lmoe, Domains, E]: two sequences of each domain, two experts a token.
  for (const domain of [0, 1]) {
    const ofExperts = routed!.slice(domain * 3, domain * 3 + 3);
    expect(ofExperts.reduce((sum, x) => sum + x, 0)).toBe(2 * 2 * dense.context);
  }
  // At perfect balance 0.01, with all tokens on one expert three times that.
  expect(auxiliary.loadBalance).toBeGreaterThan(0.0075);
  expect(auxiliary.loadBalance).toBeLessThan(0.03);
  expect(droppedTokens).toBeUndefined();
});

test.each([
  4, 2,
])("a step reports the tokens that full experts dropped, with micro-batches of %i", async (microBatch) => {
  const config = mixtureOf({ type: "switch", capacity: 0.5, loadBalance: 0 }, [0, 1]);
  const { results } = await steps(config, microBatch, { count: 1 });
  const { routedTokens: routed, droppedTokens: dropped } = results[0]!;
  // Half of an even share of each program's tokens, rounded up, over the programs of the step.
  const tokens = microBatch * config.context;
  const room = Math.ceil((0.5 * tokens) / 3) * (4 / microBatch);
  for (const layer of [0, 1]) {
    let sum = 0;
    for (let expert = 0; expert < 3; expert++) {
      const at = [0, 1].map((domain) => (layer * 2 + domain) * 3 + expert);
      const of = (counts: Float64Array) => at.reduce((total, i) => total + counts[i]!, 0);
      expect(of(routed!)).toBeLessThanOrEqual(room);
      sum += of(routed!) + of(dropped!);
    }
    expect(sum).toBe(4 * config.context);
  }
  expect(dropped!.reduce((sum, x) => sum + x, 0)).toBeGreaterThan(0);
});
