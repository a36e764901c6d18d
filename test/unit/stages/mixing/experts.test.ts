import { describe, expect, test } from "vitest";
import { arrangement, assertDivisible } from "../../../../server/stages/mixing/experts.ts";

const models = ["code", "prose", "seed"];
const refusal = (attempt: () => unknown) => {
  try {
    attempt();
  } catch (error) {
    return error;
  }
};

describe("arrangement", () => {
  test("makes each model's whole block an expert of the model's name", () => {
    expect(arrangement({ experts: models })).toEqual({
      names: models,
      parts: 1,
      experts: [[{ model: 0, part: 0 }], [{ model: 1, part: 0 }], [{ model: 2, part: 0 }]],
    });
  });

  test("makes each part of each model's block an expert when they are split", () => {
    const { names, parts, experts } = arrangement({ experts: models, split: 2 });
    expect(names).toEqual(["code.1", "code.2", "prose.1", "prose.2", "seed.1", "seed.2"]);
    expect(parts).toBe(2);
    expect(experts.map((pieces) => pieces.map(({ model, part }) => `${model}/${part}`).join())).toEqual([
      "0/0",
      "0/1",
      "1/0",
      "1/1",
      "2/0",
      "2/1",
    ]);
  });

  test("gives each expert one part of every model when they are blended", () => {
    const { names, parts, experts } = arrangement({ experts: models, blend: true });
    expect(names).toEqual(["blend.1", "blend.2", "blend.3"]);
    expect(parts).toBe(3);
    expect(experts.map((pieces) => pieces.map(({ model, part }) => `${model}/${part}`).join())).toEqual([
      "0/0,1/0,2/0",
      "0/1,1/1,2/1",
      "0/2,1/2,2/2",
    ]);
  });

  test("refuses one model alone, and split and blend together", () => {
    expect(refusal(() => arrangement({ experts: ["code"] }))).toMatchObject({
      name: "UserError",
      message: '"code" alone cannot be mixed: name at least two experts under `mix.experts`',
    });
    expect(refusal(() => arrangement({ experts: models, split: 2, blend: true }))).toMatchObject({
      name: "UserError",
      message: "`split` and `blend` cannot be combined: remove one of them",
    });
  });
});

describe("assertDivisible", () => {
  test("passes a width that is a multiple of the number of parts", () => {
    assertDivisible(12, arrangement({ experts: models }));
    assertDivisible(12, arrangement({ experts: models, split: 4 }));
    assertDivisible(12, arrangement({ experts: models, blend: true }));
  });

  test.each([
    { split: 8 },
    { blend: true as const, experts: [..."abcdefgh"] },
  ])("refuses %o of a width that does not go up", (choice) => {
    expect(refusal(() => assertDivisible(12, arrangement({ experts: models, ...choice })))).toMatchObject({
      name: "UserError",
      message:
        "a feed-forward block of width 12 cannot be cut into 8 equal parts: choose a width (`model.ffn`) that is a multiple of 8",
    });
  });
});
