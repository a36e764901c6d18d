import { beforeAll, describe, expect, test } from "vitest";
import { dispatch } from "../../../server/ops/dispatch.ts";
import { routeOrder } from "../../../server/ops/routeOrder.ts";
import { expectGradients, randomInputs, useCpu, values } from "./support.ts";

const [tokens, width, count] = [5, 3, 4];

describe("dispatch", () => {
  beforeAll(useCpu);
  const random = randomInputs(9);
  const x = random.normal([tokens, width]);

  for (const k of [1, 2, 3]) {
    const experts = random.below(count, [tokens * k]);

    test(`copies each token to its ${k} places among the rows sorted by expert`, () => {
      const { order, inverse } = routeOrder(experts, count);
      const rows = x.arraySync() as number[][];
      const expected = values(order).map((row) => rows[Math.floor(row / k)]);
      expect(dispatch(x, order, inverse, k).arraySync()).toEqual(expected);
    });

    test(`has the gradient of its value with ${k} experts a token`, () => {
      const { order, inverse } = routeOrder(experts, count);
      expectGradients((input) => dispatch(input, order, inverse, k), [x]);
    });
  }
});
