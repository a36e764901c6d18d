import { beforeAll, describe, test } from "vitest";
import { swiGlu } from "../../../server/ops/swiGlu.ts";
import { expectClose, expectGradients, randomInputs, useCpu, values } from "./support.ts";

describe("swiGlu", () => {
  beforeAll(useCpu);
  const random = randomInputs(2);
  const [gate, up] = [random.normal([4, 5]), random.normal([4, 5])];

  test("is gate * sigmoid(gate) * up", () => {
    const ups = values(up);
    expectClose(
      swiGlu(gate, up),
      values(gate).map((g, i) => (g / (1 + Math.exp(-g))) * ups[i]!),
    );
  });

  test("has the gradient of its value in both inputs", () => {
    expectGradients(swiGlu, [gate, up]);
  });
});
