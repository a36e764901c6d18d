import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { parameterShapes } from "../../../server/model/parameters.ts";
import { routingInputs } from "../../../server/model/routingInputs.ts";
import { logits } from "../../../server/model/transformer.ts";
import type { Tensors } from "../../../server/ops/program.ts";
import { expertNames, feedForwardNames } from "../../../server/parameters/names.ts";
import type { ModelConfig, RouterConfig } from "../../../server/protocol/model.ts";
import { expectClose, randomInputs, useCpu, values } from "../ops/support.ts";
import { referenceLogits } from "./reference.ts";
import { models, randomBatch, randomParameters, toWeights } from "./support.ts";

/** The model whose every feed-forward block is copied into `count` experts, under routers drawn from `seed`. */
function mixOfCopies(dense: Tensors, config: ModelConfig, count: number, router: RouterConfig, seed: number) {
  const layers = Array.from({ length: config.layers }, (_, layer) => layer);
  const experts = Array.from({ length: count }, (_, expert) => `copy ${expert}`);
  const mixed: ModelConfig = { ...config, moe: { experts, layers, router } };
  const source = new Map<string, string>();
  for (const layer of layers) {
    const from = feedForwardNames(layer);
    experts.forEach((_, expert) => {
      const to = expertNames(layer, expert);
      for (const part of ["gate", "up", "down"] as const) {
        for (const kind of ["weight", "bias"]) source.set(`${to[part]}.${kind}`, `${from[part]}.${kind}`);
      }
    });
  }
  const random = randomInputs(seed);
  const params = [...parameterShapes(mixed)].map(([name, shape]): [string, tf.Tensor] => [
    name,
    dense[source.get(name) ?? name] ?? random.normal(shape),
  ]);
  return { config: mixed, params: Object.fromEntries(params) };
}

describe("logits", () => {
  beforeAll(useCpu);

  for (const [name, config] of Object.entries(models)) {
    test(`are those of the model by plain loops in double precision: ${name}`, () => {
      const params = randomParameters(config);
      const batch = randomBatch(config, 3);
      const weights = toWeights(params);
      const noise = batch.noise?.arraySync() as number[][][] | undefined;
      const expected = (batch.tokens!.arraySync() as number[][]).flatMap((row, b) => {
        const ofRow = noise?.map((layer) => layer.slice(b * config.context, (b + 1) * config.context));
        return referenceLogits(weights, row, config, ofRow);
      });
      const routing = routingInputs(batch, tf.ones([3 * config.context, 1]), "evaluation");
      expectClose(logits(params, batch.tokens!, config, routing).logits, expected.flat(), 2e-5);
    });
  }

  const top = (k: number): RouterConfig => ({ type: "top-k", k, loadBalance: 0.01 });
  const routers: [name: string, copies: number, router: RouterConfig][] = [
    ["grouped queries, biases, untied", 4, top(2)],
    ["tied embeddings, a head of its own for each query", 3, top(1)],
    ["grouped queries, biases, untied", 3, top(3)],
    ["grouped queries, biases, untied", 3, { type: "soft", loadBalance: 0.01 }],
  ];
  for (const [name, copies, router] of routers) {
    const how = router.type === "top-k" ? `top-${router.k}` : router.type;
    test(`of ${copies} copies of one model, mixed, ${how}, are that model's under any router: ${name}`, () => {
      const dense = models[name]!;
      const params = randomParameters(dense);
      const { tokens } = randomBatch(dense, 2);
      const expected = values(logits(params, tokens!, dense).logits);
      for (const seed of [1, 2, 3]) {
        const mixed = mixOfCopies(params, dense, copies, router, seed);
        const actual = values(logits(mixed.params, tokens!, mixed.config).logits);
        const largest = Math.max(...actual.map((value, i) => Math.abs(value - expected[i]!)));
        expect(largest).toBeLessThanOrEqual(1e-5);
      }
    });
  }

  test("add up the layers' auxiliary losses, and have none without load balancing", () => {
    const config = models["Mixture-of-Experts"]!;
    const params = randomParameters(config);
    const { tokens } = randomBatch(config, 2);
    const { routings, auxiliaryLoss } = logits(params, tokens!, config);
    const parts = routings.map((routing) => values(routing.losses!.loadBalance!)[0]!);
    expect(parts.length).toBe(2);
    expectClose(auxiliaryLoss!, [parts[0]! + parts[1]!]);
    const router = { ...config.moe!.router, loadBalance: 0 };
    expect(logits(params, tokens!, { ...config, moe: { ...config.moe!, router } }).auxiliaryLoss).toBeUndefined();
  });
});
