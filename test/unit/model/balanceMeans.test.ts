import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { balanceMeans, balancesOverBatch } from "../../../server/model/balanceMeans.ts";
import { losses } from "../../../server/model/loss.ts";
import { trainedShapes } from "../../../server/model/parameters.ts";
import type { Tensors } from "../../../server/ops/program.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { expectClose, useCpu, values } from "../ops/support.ts";
import { models, randomBatch, randomParameters } from "./support.ts";

/** A batch whose targets all count, and the part of it from sequence `from` on. */
function parts(batch: Tensors, sequences: number): Tensors[] {
  const { progress, noise, ...rest } = batch;
  const time = rest.tokens!.shape[1]!;
  return [0, 1].map((part) => {
    const rows = Object.entries(rest).map(([name, x]) => [name, tf.slice(x, [part * sequences], [sequences])]);
    const tokens = sequences * time;
    return {
      ...Object.fromEntries(rows),
      ...(noise ? { noise: tf.slice(noise, [0, part * tokens, 0], [-1, tokens, -1]) } : {}),
      ...(progress ? { progress } : {}),
    };
  });
}

describe("balanceMeans", () => {
  beforeAll(useCpu);
  const balanced = Object.entries(models).filter(([, { moe }]) => moe && moe.router.balance !== "bias");

  test.each(
    balanced,
  )("of micro-batches, averaged and given to each, make the batch's loss and gradient: %s", (_, model) => {
    const router = { ...model.moe!.router, loadBalance: 20, balanceOver: "batch" as const };
    // A capacity is that of a micro-batch: none is dropped here, so that the routes are the same.
    const config: ModelConfig = {
      ...model,
      moe: { ...model.moe!, router: router.type === "switch" ? { ...router, capacity: 100 } : router },
    };
    const params = randomParameters(config);
    const batch = { ...randomBatch(config, 4), weights: tf.ones([4, config.context]) };
    const names = [...trainedShapes(config).keys()];
    const gradients = (of: Tensors) => {
      const total = (...xs: tf.Tensor[]) =>
        losses({ ...params, ...Object.fromEntries(names.map((name, i) => [name, xs[i]!])) }, of, config, 2).total;
      const { value, grads } = tf.valueAndGrads(total)(names.map((name) => params[name]!));
      return [value, ...grads];
    };
    const mean = (lists: tf.Tensor[][]) => lists[0]!.map((x, i) => tf.div(tf.add(x, lists[1]![i]!), 2));

    const micro = parts(batch, 2);
    const means = micro.map((part) => balanceMeans(config)(params, part).results);
    expect(means[0]!.meanGates!.shape).toEqual([config.moe!.layers.length, 3]);
    const [meanGates, meanProbabilities] = mean(means.map((of) => [of.meanGates!, of.meanProbabilities!]));
    const whole = gradients(batch);
    const together = mean(micro.map((part) => gradients({ ...part, meanGates, meanProbabilities } as Tensors)));
    whole.forEach((expected, i) => {
      expectClose(together[i]!, expected, 1e-4);
    });
    const apart = mean(micro.map(gradients));
    expect(Math.abs(values(apart[0]!)[0]! - values(whole[0]!)[0]!)).toBeGreaterThan(1e-3);
  });

  test("are asked for where means over the batch are multiplied", () => {
    const config = models["Mixture-of-Experts"]!;
    const over = (more: object): ModelConfig => ({
      ...config,
      moe: { ...config.moe!, router: { ...config.moe!.router, ...more } },
    });
    expect(balancesOverBatch(config)).toBe(false);
    expect(balancesOverBatch(over({ balanceOver: "batch" }))).toBe(true);
    expect(balancesOverBatch(over({ balanceOver: "batch", loadBalance: 0 }))).toBe(false);
    expect(balancesOverBatch(over({ balanceOver: "batch", balance: "bias" }))).toBe(false);
    const none = over({ loadBalance: 0 });
    expect(() => balanceMeans(none)(randomParameters(none), randomBatch(none, 2))).toThrow("report no means");
  });
});
