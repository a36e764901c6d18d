import { tensor1d } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { gelu, geluTanh } from "../../../server/ops/gelu.ts";
import { softCapped } from "../../../server/ops/softCap.ts";
import { expectClose, expectGradients, randomInputs, useCpu } from "./support.ts";

/** The standard normal distribution function of x, by Simpson's rule from -10. */
function normal(x: number): number {
  const [from, steps] = [-10, 20_000];
  const width = (x - from) / steps;
  const density = (at: number) => Math.exp(-(at * at) / 2) / Math.sqrt(2 * Math.PI);
  let sum = density(from) + density(x);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 0 ? 2 : 4) * density(from + i * width);
  return (sum * width) / 3;
}

const points = [-3, -1, -0.5, 0, 0.1, 0.5, 1, 2.5, 4];

describe("gelu", () => {
  beforeAll(useCpu);

  test("is x times the normal distribution function of x", () => {
    const expected = points.map((x) => x * normal(x));
    expectClose(gelu(tensor1d(points)), expected, 2e-6);
  });

  test("by tanh differs from it by less than a thousandth", () => {
    const [exact, close] = [gelu(tensor1d(points)).dataSync(), geluTanh(tensor1d(points)).dataSync()];
    for (const [i, value] of exact.entries()) expect(Math.abs(close[i]! - value)).toBeLessThan(1e-3);
  });

  test("has the gradient of its value, by tanh too", () => {
    const x = randomInputs(3).normal([4, 5]);
    expectGradients((y) => gelu(y), [x]);
    expectGradients((y) => geluTanh(y), [x]);
  });
});

describe("softCapped", () => {
  beforeAll(useCpu);

  test("is cap * tanh(x / cap), with its gradient", () => {
    expectClose(
      softCapped(tensor1d(points), 2),
      points.map((x) => 2 * Math.tanh(x / 2)),
    );
    expectGradients((y) => softCapped(y, 0.8), [randomInputs(4).normal([3, 4])]);
  });
});
