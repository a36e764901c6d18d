import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, test } from "vitest";
import { crossEntropy } from "../../../server/ops/crossEntropy.ts";
import { expectClose, expectGradients, randomInputs, useCpu, values } from "./support.ts";

const [rows, vocab] = [5, 6];

describe("crossEntropy", () => {
  beforeAll(useCpu);
  const random = randomInputs(4);
  const logits = random.normal([rows, vocab]);
  const targets = random.below(vocab, [rows]);

  test("is the log of the sum of exponentials less the target's logit", () => {
    const scores = values(logits);
    const expected = values(targets).map((target, row) => {
      const own = scores.slice(row * vocab, (row + 1) * vocab);
      return Math.log(own.reduce((total, score) => total + Math.exp(score), 0)) - own[target]!;
    });
    expectClose(crossEntropy(logits, targets), expected);
  });

  test("stays finite for logits far apart", () => {
    expectClose(crossEntropy(tf.tensor2d([[1000, 0, -1000]]), tf.tensor1d([1], "int32")), [1000]);
  });

  test("has the gradient of its value in the logits", () => {
    expectGradients((x) => crossEntropy(x, targets), [logits]);
  });
});
