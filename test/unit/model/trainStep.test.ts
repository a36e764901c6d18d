import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { capture } from "../../../server/engine/capture/capture.ts";
import { fold } from "../../../server/engine/graph/fold.ts";
import { losses } from "../../../server/model/loss.ts";
import { adamWInputs } from "../../../server/model/optimizer.ts";
import {
  decayingParameters,
  declaredParameters,
  parameterShapes,
  trainedShapes,
} from "../../../server/model/parameters.ts";
import {
  accumulate,
  applyGradients,
  firstMomentName,
  gradientName,
  gradientShapes,
  momentShapes,
  trainStep,
} from "../../../server/model/trainStep.ts";
import type { TensorSpecs, Tensors } from "../../../server/ops/program.ts";
import { routerBiasName } from "../../../server/parameters/names.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import type { ParameterGroup } from "../../../server/protocol/stage.ts";
import { expectClose, useCpu, values } from "../ops/support.ts";
import { models, randomBatch, randomParameters, scalars } from "./support.ts";

const training = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 };
const dense = models["grouped queries, biases, untied"]!;
const mixed = models["Mixture-of-Experts"]!;

const zeros = (shapes: Map<string, number[]>): Tensors =>
  Object.fromEntries([...shapes].map(([name, shape]) => [name, tf.zeros(shape)]));

const untrained = (config: ModelConfig): Tensors => ({ ...randomParameters(config), ...zeros(momentShapes(config)) });

const numbers = (step: number, learningRate: number) => scalars(adamWInputs(step, learningRate, training));

describe("trainStep", () => {
  beforeAll(useCpu);

  for (const [name, config] of Object.entries({ dense, mixed })) {
    test(`lowers the loss of a batch it sees again and again: ${name}`, () => {
      const step = trainStep(config, training, 2);
      const batch = randomBatch(config, 2);
      let state = untrained(config);
      const seen = Array.from({ length: 8 }, (_, i) => {
        const { state: changed, results } = tf.tidy(() => step(state, { ...batch, ...numbers(i + 1, 0.02) }));
        state = { ...state, ...changed };
        return values(results.loss!)[0]!;
      });
      expect(seen[0]!).toBeGreaterThan(2);
      expect(seen.at(-1)!).toBeLessThan(seen[0]! / 2);
    });
  }

  test("changes every parameter and both its moments, and nothing else", () => {
    const state = untrained(mixed);
    const { state: changed } = trainStep(mixed, training, 2)(state, { ...randomBatch(mixed, 2), ...numbers(1, 0.01) });
    expect(Object.keys(changed).sort()).toEqual(Object.keys(state).sort());
    const same = Object.keys(state).filter((name) => values(changed[name]!).join() === values(state[name]!).join());
    expect(same).toEqual([]);
  });

  test("changes them alike where few calls are asked for", () => {
    const state = untrained(mixed);
    const batch = { ...randomBatch(mixed, 2), ...numbers(1, 0.01) };
    const [plain, joined] = [false, true].map((fewCalls) =>
      trainStep(mixed, { ...training, fewCalls, clip: 0.1 }, 2)(state, batch),
    );
    for (const name of Object.keys(plain!.state)) expectClose(joined!.state[name]!, plain!.state[name]!, 1e-6);
    expectClose(joined!.results.gradientNorm!, plain!.results.gradientNorm!);
  });

  test("in float16 changes nothing where the scaled loss is too large for its gradients", () => {
    const state = untrained(dense);
    const step = trainStep(dense, { ...training, precision: "float16", fewCalls: true }, 2);
    const batch = { ...randomBatch(dense, 2), ...numbers(1, 0.01) };
    const { state: same, results } = step(state, { ...batch, lossScale: tf.scalar(2 ** 100) });
    expect(values(results.loss!)[0]).toBeGreaterThan(0);
    expect(Number.isFinite(values(results.gradientNorm!)[0])).toBe(false);
    for (const [name, tensor] of Object.entries(same)) expect(values(tensor)).toEqual(values(state[name]!));
    const { state: changed } = step(state, { ...batch, lossScale: tf.scalar(2 ** 10) });
    for (const [name, tensor] of Object.entries(changed)) expect(values(tensor)).not.toEqual(values(state[name]!));
  });

  test("reports the loss before the update, the gradient's norm before clipping, and the routing", () => {
    const state = untrained(mixed);
    const batch = randomBatch(mixed, 2);
    const run = (clip: number) => trainStep(mixed, { ...training, clip }, 2)(state, { ...batch, ...numbers(1, 0.01) });
    const { results } = run(0.001);
    const before = losses(state, batch, mixed, 2);
    expectClose(results.loss!, before.loss);
    expectClose(results["auxiliary.loadBalance"]!, before.auxiliary.loadBalance!);
    expectClose(results.routedTokens!, before.routing.routedTokens!);
    expectClose(results.gradientNorm!, run(0).results.gradientNorm!);
    expect(values(results.gradientNorm!)[0]).toBeGreaterThan(0.001);
  });

  test("decays weights, but neither norms nor biases, when there is nothing to learn", () => {
    const state = untrained(dense);
    const step = trainStep(dense, { ...training, clip: 0 }, 2);
    const small = numbers(1, 0.5);
    const still = { ...small, stepSize: tf.scalar(0) };
    const { state: changed } = step(state, { ...randomBatch(dense, 2), ...still });
    const decaying = decayingParameters(dense);
    for (const name of parameterShapes(dense).keys()) {
      expectClose(
        changed[name]!,
        values(state[name]!).map((x) => (decaying.has(name) ? 0.95 * x : x)),
        1e-6,
      );
    }
  });

  test("leaves no tensor behind but those it returns", () => {
    const state = untrained(mixed);
    const batch = { ...randomBatch(mixed, 2), ...numbers(1, 0.01) };
    const step = trainStep(mixed, training, 2);
    const before = tf.memory().numTensors;
    const { state: changed, results } = tf.tidy(() => step(state, batch));
    tf.dispose([Object.values(changed), Object.values(results)]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

/** All that a mixture without dense layers has, but its norms. */
const groups: ParameterGroup[] = ["experts", "attention", "router", "embeddings"];

/** The first step of a model, without clipping: the state before and after, and what of it is new. */
function firstStep(config: ModelConfig, freeze: ParameterGroup[]) {
  const state: Tensors = { ...randomParameters(config), ...zeros(momentShapes(config, freeze)) };
  const step = trainStep(config, { ...training, clip: 0, freeze }, 2);
  const { state: changed, results } = step(state, { ...randomBatch(config, 2), ...numbers(1, 0.01) });
  return { before: state, state: { ...state, ...changed }, changed, results };
}

describe("frozen groups", () => {
  beforeAll(useCpu);

  test.each<ParameterGroup>([
    ...groups,
    "norms",
  ])("%s: neither they nor moments of them are in the new state", (group) => {
    const { before, changed } = firstStep(mixed, [group]);
    const trained = declaredParameters(mixed).flatMap((one) => (one.group !== group ? [one.name] : []));
    const moments = trained.flatMap((name) => [`adam.m.${name}`, `adam.v.${name}`]);
    expect(Object.keys(changed).sort()).toEqual([...trained, ...moments].sort());
    expect([...momentShapes(mixed, [group]).keys()].sort()).toEqual(moments.sort());
    for (const name of trained) expect(values(changed[name]!)).not.toEqual(values(before[name]!));
  });

  test.each<ParameterGroup>([
    ...groups,
    "norms",
  ])("%s: the gradients of the others stay the same, and the norm is over those", (group) => {
    const [all, some] = [firstStep(mixed, []), firstStep(mixed, [group])];
    let squares = 0;
    for (const name of trainedShapes(mixed, [group]).keys()) {
      // After the first step and without clipping the first moment is the gradient.
      const gradient = some.state[firstMomentName(name)]!;
      expectClose(gradient, all.state[firstMomentName(name)]!, 1e-5);
      for (const x of values(gradient)) squares += x * x;
    }
    expectClose(some.results.gradientNorm!, [Math.sqrt(squares)], 1e-4);
    expect(values(some.results.gradientNorm!)[0]).toBeLessThan(values(all.results.gradientNorm!)[0]!);
    expectClose(some.results.loss!, all.results.loss!);
  });

  test("embeddings: a tied matrix is frozen as embedding and as head", () => {
    const tied: ModelConfig = { ...mixed, tiedEmbeddings: true };
    const of = (names: string[]) => names.filter((name) => /embed_tokens|lm_head/.test(name));
    expect(of(Object.keys(firstStep(tied, []).changed))).toHaveLength(3);
    expect(of(Object.keys(firstStep(tied, ["embeddings"]).changed))).toEqual([]);
  });

  test("all of them: norms alone are trained", () => {
    const { before, changed } = firstStep(mixed, groups);
    const trained = Object.keys(changed).filter((name) => !name.startsWith("adam."));
    expect(trained).toHaveLength(5);
    for (const name of trained) {
      expect(name).toMatch(/norm\.weight$/);
      expect(values(changed[name]!)).not.toEqual(values(before[name]!));
    }
  });

  test("a router's balancing bias takes part in the step and is not changed by it", () => {
    const router = { type: "top-k" as const, k: 1, loadBalance: 0, balance: "bias" as const };
    const config: ModelConfig = { ...mixed, moe: { ...mixed.moe!, router } };
    const state = untrained(config);
    for (const layer of [0, 1]) state[routerBiasName(layer)] = tf.tensor1d([0, 9, 0]);
    const step = trainStep(config, training, 2);
    const { state: changed, results } = step(state, { ...randomBatch(config, 2), ...numbers(1, 0.01) });
    expect(Object.keys(changed)).not.toContain(routerBiasName(0));
    // All tokens choose the expert that the bias lifts.
    const byExpert = values(tf.sum(results.routedTokens!, [0, 1]));
    expect(byExpert[1]).toBeGreaterThan(0);
    expect([byExpert[0], byExpert[2]]).toEqual([0, 0]);
  });

  /** Kernels of the step's graph as it is compiled, by name. */
  function kernels(freeze: ParameterGroup[]): Map<string, number> {
    const specs = (tensors: Tensors): TensorSpecs =>
      Object.fromEntries(
        Object.entries(tensors).map(([name, { shape, dtype }]) => [name, { shape, dtype: dtype as "float32" }]),
      );
    const state: Tensors = { ...randomParameters(mixed), ...zeros(momentShapes(mixed, freeze)) };
    const batch: Tensors = { ...randomBatch(mixed, 2), ...numbers(1, 0.01) };
    const program = trainStep(mixed, { ...training, freeze }, 2);
    const counts = new Map<string, number>();
    for (const { kernel } of fold(capture(program, specs(state), specs(batch))).nodes)
      counts.set(kernel, (counts.get(kernel) ?? 0) + 1);
    return counts;
  }

  test("cost no gradient: the graph lacks the products that would compute them", () => {
    const [layers, all] = [2, kernels([])];
    expect(all.get("GroupedWeightGrad")).toBe(3 * layers);
    expect(kernels(["experts"]).get("GroupedWeightGrad")).toBeUndefined();
    expect(kernels(["router"]).get("GroupedWeightGrad")).toBe(3 * layers);
    expect(all.get("EmbeddingGrad")).toBe(1);
    expect(kernels(["embeddings"]).get("EmbeddingGrad")).toBeUndefined();
    const products = (freeze: ParameterGroup[]) => kernels(freeze).get("BatchMatMul")!;
    expect(products([]) - products(["attention"])).toBe(4 * layers);
    expect(products([]) - products(["router"])).toBe(layers);
    // That of the head.
    expect(products([]) - products(["embeddings"])).toBe(1);
  });
});

describe("gradient accumulation", () => {
  beforeAll(useCpu);

  /** The batch with every target counted, so that micro-batches weigh the same. */
  const even = (size: number, seed: number): Tensors => ({
    ...randomBatch(dense, size, seed),
    weights: tf.ones([size, dense.context]),
  });

  test("over micro-batches moves the parameters as one batch of them all does", () => {
    const state: Tensors = { ...untrained(dense), ...zeros(gradientShapes(dense)) };
    const [first, second] = [even(2, 7), even(2, 8)];
    const whole = Object.fromEntries(
      Object.keys(first).map((name) => [name, tf.concat([first[name]!, second[name]!])]),
    );
    const expected = trainStep(dense, training, 2)(state, { ...whole, ...numbers(1, 0.01) });

    Object.assign(state, accumulate(dense, 2, { first: true })(state, first).state);
    Object.assign(state, accumulate(dense, 2, { first: false })(state, second).state);
    const share = tf.scalar(1 / 2);
    const { state: changed, results } = applyGradients(dense, training)(state, { ...numbers(1, 0.01), share });

    expectClose(results.gradientNorm!, expected.results.gradientNorm!, 1e-4);
    expect(Object.keys(changed).sort()).toEqual(Object.keys(expected.state).sort());
    for (const name of momentShapes(dense).keys()) expectClose(changed[name]!, expected.state[name]!, 1e-4);
    for (const name of parameterShapes(dense).keys()) expectClose(changed[name]!, expected.state[name]!, 2e-3);
  });

  test("of frozen groups is none", () => {
    const freeze: ParameterGroup[] = ["attention", "embeddings"];
    const shapes = gradientShapes(dense, freeze);
    expect([...shapes.keys()]).toEqual([...trainedShapes(dense, freeze).keys()].map(gradientName));
    const state: Tensors = {
      ...randomParameters(dense),
      ...zeros(momentShapes(dense, freeze)),
      ...zeros(shapes),
    };
    const { state: sums } = accumulate(dense, 2, { first: true, freeze })(state, even(1, 9));
    expect(Object.keys(sums).sort()).toEqual([...shapes.keys()].sort());
    Object.assign(state, sums);
    const applied = applyGradients(dense, { ...training, freeze })(state, {
      ...numbers(1, 0.01),
      share: tf.scalar(1),
    });
    const changed = [...trainedShapes(dense, freeze).keys(), ...momentShapes(dense, freeze).keys()];
    expect(Object.keys(applied.state).sort()).toEqual(changed.sort());
  });

  test("starts afresh with the first micro-batch of a step", () => {
    const state: Tensors = { ...randomParameters(dense), ...zeros(gradientShapes(dense)) };
    const batch = even(1, 9);
    const once = accumulate(dense, 2, { first: true })(state, batch);
    const again = accumulate(dense, 2, { first: true })({ ...state, ...once.state }, batch);
    const twice = accumulate(dense, 2, { first: false })({ ...state, ...once.state }, batch);
    const name = gradientName("model.norm.weight");
    expectClose(again.state[name]!, once.state[name]!);
    expectClose(
      twice.state[name]!,
      values(once.state[name]!).map((x) => 2 * x),
    );
    expectClose(once.results.loss!, losses(state, batch, dense, 2).loss);
  });
});
