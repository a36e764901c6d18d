import { describe, expect, test } from "vitest";
import type { StageSpec } from "../../../server/protocol/stage.ts";
import {
  colouredExperts,
  type FoundModel,
  findModel,
  heldOutOf,
  mixOf,
  seedOf,
} from "../../../server/runs/findModel.ts";
import { experts, inspectedRun, mixed } from "../inspect/run.ts";

const run = await inspectedRun();
const found = await findModel(run.reference("finetune"));

test("a model leads to its mix, its seed, and its evaluation with the text", async () => {
  expect(mixOf(found)?.name).toBe("mix");
  expect(mixOf(await findModel(run.reference("mix")))?.name).toBe("mix");
  expect(mixOf(await findModel(run.reference("seed")))).toBeUndefined();
  expect(seedOf(found)?.name).toBe("seed");
  const { spec, data } = heldOutOf(found);
  expect(spec).toEqual(run.evaluate);
  expect(data).toContain(found.stages[0]!.key);
  // One that was not evaluated is asked about the same text.
  expect(heldOutOf(await findModel(run.reference("mix")))).toEqual({ spec, data });
  const none: FoundModel = { ...found, stages: found.stages.filter((stage) => stage.spec.kind !== "evaluate") };
  expect(() => heldOutOf(none)).toThrow(/evaluates no model/);
});

describe("experts have the colours", () => {
  const withMix = (
    change: Partial<Extract<StageSpec, { kind: "mix" }>>,
    parents?: Record<string, string>,
  ): FoundModel => ({
    ...found,
    stages: found.stages.map((stage) =>
      stage.spec.kind === "mix"
        ? { ...stage, spec: { ...stage.spec, ...change }, parents: parents ?? stage.parents }
        : stage,
    ),
  });
  const colors = (model: FoundModel, names: string[]) => colouredExperts(model, names).map(({ color }) => color);

  test("of the models they were", () => {
    expect(colors(found, experts)).toEqual(["one", "two", "seed"]);
  });

  test("of the models they are parts of", () => {
    const names = experts.flatMap((name) => [`${name}.1`, `${name}.2`]);
    expect(colors(withMix({ split: 2 }), names)).toEqual(["one", "one", "two", "two", "seed", "seed"]);
  });

  test("each its own where they are made of all models, or are copies of one", () => {
    expect(colors(withMix({ blend: true }), ["blend.1", "blend.2", "blend.3"])).toEqual(["one", "two", "three"]);
    const copies = { "expert:copy1": "seed", "expert:copy2": "seed" };
    expect(colors(withMix({ experts: ["copy1", "copy2"] }, copies), ["copy1", "copy2"])).toEqual(["one", "two"]);
  });

  test("of no stage where there is no mix", async () => {
    const dense = await findModel((await inspectedRun({ config: mixed() })).reference("seed"));
    expect(colouredExperts(dense, [])).toEqual([]);
  });
});
