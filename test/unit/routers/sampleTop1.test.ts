import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { gumbelNoise } from "../../../server/model/noise.ts";
import { routerTraits } from "../../../server/protocol/model.ts";
import { router } from "../../../server/routers/index.ts";
import { expectClose, expectGradients, randomInputs, useCpu, values } from "../ops/support.ts";
import { inputOf, softmaxOf } from "./support.ts";

const sample = router({ type: "sample-top-1", temperatureRate: 2, minTemperature: 0.5, loadBalance: 0 });

describe("the sample-top-1 router", () => {
  beforeAll(useCpu);
  const random = randomInputs(37);
  const [logits, noise] = [random.normal([5, 4]), random.normal([5, 4])];
  const drawn = (tf.add(logits, noise).arraySync() as number[][]).map((row) => ({
    row,
    best: row.indexOf(Math.max(...row)),
  }));
  const training = (progress: number, x: tf.Tensor = logits) =>
    sample.route(inputOf(x, { position: 1, noise, progress: tf.scalar(progress) }));

  test("in training keeps the largest entry of a Gumbel-softmax sample, at a temperature that falls to its minimum", () => {
    for (const [progress, temperature] of [
      [0, 1],
      [0.2, Math.exp(-0.4)],
      [1, 0.5],
    ] as const) {
      const routing = training(progress);
      const gates = drawn.map(({ row, best }) => softmaxOf(row.map((x) => x / temperature))[best]!);
      expect(values(routing.experts)).toEqual(drawn.map(({ best }) => best));
      expect(routing.experts.shape).toEqual([5, 1]);
      expectClose(routing.gates, gates);
      expectClose(
        routing.gateOfExpert,
        drawn.flatMap(({ best }, n) => [0, 1, 2, 3].map((e) => (e === best ? gates[n]! : 0))),
      );
      expectClose(tf.sum(routing.chosen, 1), [1, 1, 1, 1, 1]);
    }
  });

  test("outside training takes the drawn expert with gate 1", () => {
    for (const mode of ["evaluation", "generation"] as const) {
      const routing = sample.route(inputOf(logits, { position: 1, noise, mode }));
      expect(values(routing.experts)).toEqual(drawn.map(({ best }) => best));
      expect(values(routing.gates)).toEqual([1, 1, 1, 1, 1]);
      expect(values(routing.gateOfExpert)).toEqual(values(routing.chosen));
    }
  });

  test("draws an expert as often as its probability says", () => {
    const tokens = 20_000;
    const row = [0.5, -1, 1.2, 0];
    const config = {
      layers: [0],
      experts: ["a", "b", "c", "d"],
      router: { type: "soft", loadBalance: 0 } as const,
    };
    const many = tf.tensor2d(gumbelNoise({ moe: config } as never, tokens, 3, 1), [tokens, 4]);
    const { chosen } = sample.route(
      inputOf(tf.tile(tf.tensor2d([row]), [tokens, 1]), { position: 1, noise: many, mode: "evaluation" }),
    );
    const counts = values(tf.sum(chosen, 0));
    softmaxOf(row).forEach((p, e) => {
      // Five standard deviations.
      expect(Math.abs(counts[e]! - p * tokens)).toBeLessThan(5 * Math.sqrt(p * (1 - p) * tokens));
    });
  });

  test("is soft in the first Mixture-of-Experts layer, in training and outside", () => {
    for (const mode of ["training", "evaluation", "generation"] as const) {
      const routing = sample.route(inputOf(logits, { position: 0, noise, progress: tf.scalar(0), mode }));
      expectClose(routing.gateOfExpert, tf.softmax(logits));
      expect(routing.gates.shape).toEqual([5, 4]);
    }
  });

  test("has the gradient of its gates in the logits", () => {
    expectGradients((x) => training(0.1, x).gates, [logits]);
    expectGradients((x) => training(0.1, x).gateOfExpert, [logits]);
  });

  test("says that it draws, which no other router does", () => {
    expect(routerTraits({ type: "sample-top-1", temperatureRate: 2, minTemperature: 0.5, loadBalance: 0 }).draws).toBe(
      "token",
    );
    expect(routerTraits({ type: "soft", loadBalance: 0 }).draws).toBeUndefined();
  });

  test("needs noise and, in training, progress", () => {
    expect(() => sample.route(inputOf(logits, { position: 1 }))).toThrow("noise");
    expect(() => sample.route(inputOf(logits, { position: 1, noise }))).toThrow("progress");
  });
});
