import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { RouterConfig } from "../../../server/protocol/model.ts";
import { router } from "../../../server/routers/index.ts";
import { expectClose, expectGradients, randomInputs, useCpu, values } from "../ops/support.ts";
import { dot, inputOf, meanOf, softmaxOf } from "./support.ts";

type Balancing = Pick<RouterConfig, "loadBalance" | "balance" | "biasRate" | "zLoss">;
/** Every type of router, balanced alike. */
const routersWith = (balancing: Balancing): Record<string, RouterConfig> => ({
  "top-2": { type: "top-k", k: 2, ...balancing },
  "top-2, softmax before": { type: "top-k", k: 2, softmax: "before", ...balancing },
  switch: { type: "switch", capacity: 0.5, ...balancing },
  soft: { type: "soft", ...balancing },
  "sample-top-1": { type: "sample-top-1", temperatureRate: 1, minTemperature: 0.5, ...balancing },
});

const random = randomInputs(61);
const logits = tf.mul(random.normal([6, 4]), 2);
const noise = random.normal([6, 4]);
const rows = logits.arraySync() as number[][];
const counts = [1, 1, 0, 1, 1, 1];
const counted = <T>(of: T[]): T[] => of.filter((_, n) => counts[n] === 1);
const weights = tf.tensor2d(counts, [6, 1]);
const input = (x: tf.Tensor = logits) =>
  inputOf(x, { weights, position: 1, noise, progress: tf.scalar(0.3), mode: "training" });

/** Experts that each token's gates, before any is dropped, are of. */
const choicesOf = (config: RouterConfig): number[][] => {
  const { chosen, dropped } = router(config).route(input());
  return (dropped ? tf.add(chosen, dropped) : chosen).arraySync() as number[][];
};

describe.each(Object.keys(routersWith({ loadBalance: 0 })))("the auxiliary loss of %s", (name) => {
  beforeAll(useCpu);
  const of = (balancing: Balancing) => routersWith(balancing)[name]!;
  /** All of the layer's auxiliary losses. */
  const loss = (balancing: Balancing, x?: tf.Tensor) =>
    Object.values(router(of(balancing)).route(input(x)).losses!).reduce((sum, one) => tf.add(sum, one));
  const probabilities = () => meanOf(counted(rows.map(softmaxOf)));

  test("is absent with coefficient 0 and with balancing by a bias", () => {
    const routing = router(of({ loadBalance: 0 })).route(input());
    expect(routing).not.toHaveProperty("losses");
    expect(routing).not.toHaveProperty("means");
    if (of({ loadBalance: 0 }).type === "top-k" || of({ loadBalance: 0 }).type === "switch")
      expect(router(of({ loadBalance: 1, balance: "bias" })).route(input())).not.toHaveProperty("losses");
  });

  test("is BTX's product of mean gates and mean probabilities, with the gradient of both factors", () => {
    const config = of({ loadBalance: 0.3 });
    const whole: RouterConfig = config.type === "switch" ? { ...config, capacity: 100 } : config;
    const gates = router(whole).route(input()).gateOfExpert.arraySync() as number[][];
    expectClose(loss({ loadBalance: 0.3 }), [0.3 * 4 * dot(meanOf(counted(gates)), probabilities())]);
    expectGradients((x) => loss({ loadBalance: 5 }, x), [logits], { step: 0.01 });
  });

  test("is Switch's product of shares of tokens and mean probabilities, the shares being constants", () => {
    const balancing: Balancing = { loadBalance: 0.3, balance: "switch" };
    const chosen = choicesOf(of(balancing));
    const shares = meanOf(counted(chosen)).map((mean) => mean / chosen[0]!.reduce((sum, x) => sum + x, 0));
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1);
    expectClose(loss(balancing), [0.3 * 4 * dot(shares, probabilities())]);
    const constant = tf.tensor2d([shares]);
    const expected = tf.grad((x) => {
      const p = tf.div(tf.matMul(weights, tf.softmax(x), true), 5);
      return tf.mul(tf.sum(tf.mul(constant, p)), 0.3 * 4);
    })(logits);
    expectClose(tf.grad((x) => loss(balancing, x))(logits), expected, 1e-6);
  });

  test("has the z-loss on top, and alone where nothing is balanced", () => {
    const squares = rows.map((row) => Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) ** 2);
    const z = 0.01 * (counted(squares).reduce((sum, x) => sum + x, 0) / 5);
    expectClose(loss({ loadBalance: 0, zLoss: 0.01 }), [z]);
    const balance = values(loss({ loadBalance: 0.3 }))[0]!;
    expectClose(loss({ loadBalance: 0.3, zLoss: 0.01 }), [balance + z]);
    expectGradients((x) => loss({ loadBalance: 2, zLoss: 0.3 }, x), [logits], { step: 0.01 });
  });

  test("does not see tokens of weight 0, nor do the other tokens' routes", () => {
    const changed = tf.tensor2d(rows.map((row, n) => (counts[n] === 1 ? row : [9, -9, 3, 7])));
    const balancing: Balancing = { loadBalance: 1, zLoss: 1 };
    expectClose(loss(balancing, changed), loss(balancing), 1e-6);
    const [before, after] = [logits, changed].map((x) => {
      const { chosen, gateOfExpert, dropped = tf.zeros([6, 4]) } = router(of(balancing)).route(input(x));
      return tf.mul(tf.concat([chosen, gateOfExpert, dropped], 1), weights);
    });
    expect(values(after!)).toEqual(values(before!));
  });
});
