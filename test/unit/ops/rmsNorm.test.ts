import { beforeAll, describe, test } from "vitest";
import { rmsNorm } from "../../../server/ops/rmsNorm.ts";
import { expectClose, expectGradients, randomInputs, useCpu, values } from "./support.ts";

const [rows, width, eps] = [3, 7, 0.01];

describe("rmsNorm", () => {
  beforeAll(useCpu);
  const random = randomInputs(3);
  const [x, weight] = [random.normal([rows, width]), random.normal([width])];

  test("divides each row by its root mean square, eps inside the root", () => {
    const [xs, ws] = [values(x), values(weight)];
    const expected = Array.from({ length: rows }, (_, row) => {
      const elements = xs.slice(row * width, (row + 1) * width);
      const rms = Math.sqrt(elements.reduce((total, value) => total + value * value, 0) / width + eps);
      return elements.map((value, i) => (value / rms) * ws[i]!);
    }).flat();
    expectClose(rmsNorm(x, weight, eps), expected);
  });

  test("has the gradient of its value in the rows and the weight", () => {
    expectGradients((a, b) => rmsNorm(a, b, eps), [x, weight]);
  });
});
