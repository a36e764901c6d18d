import { expect, test } from "vitest";
import { inPlaceTest, type MemoryUse, type Step, unreadLast } from "../../../../server/engine/graph/dataflow.ts";

const step = (name: string, inputs: string[], op = "mix"): Step => ({ op, inputs, outputs: [name] });
const use: MemoryUse = { overwrites: ({ op }) => op === "elementwise", isView: ({ op }) => op === "view" };

test("steps that nobody reads come at the end, the earliest last, the others as they were", () => {
  const steps = [
    step("h1", ["x"]),
    step("h2", ["h1"]),
    step("loss", ["h2"]),
    step("back2", ["h2"]),
    step("weight2", ["back2", "h1"]),
    step("back1", ["back2"]),
    step("weight1", ["back1", "x"]),
  ];
  const names = unreadLast(steps).map(({ outputs }) => outputs[0]);
  expect(names).toEqual(["h1", "h2", "back2", "back1", "weight1", "weight2", "loss"]);
});

test("what is written over and what is a view is for the runtime to say", () => {
  const inPlace = (...steps: Step[]) => inPlaceTest(steps, new Set(["new"]), use)("old", "new");
  expect(inPlace(step("new", ["old", "g"], "elementwise"))).toBe(true);
  expect(inPlace(step("new", ["old", "g"]))).toBe(false);
  const viewed = [step("t", ["old"], "view"), step("r", ["t"])];
  expect(inPlace(...viewed, step("new", ["old", "g"], "elementwise"))).toBe(false);
  expect(inPlace(...viewed, step("new", ["old", "r"], "elementwise"))).toBe(true);
});

test("what a program returns is not written over", () => {
  const steps = [step("new", ["old", "g"], "elementwise")];
  expect(inPlaceTest(steps, new Set(["new", "old"]), use)("old", "new")).toBe(false);
});

test("dependencies are followed over more nodes than one word has bits", () => {
  const chain = Array.from({ length: 100 }, (_, i) => step(`t${i + 1}`, [`t${i}`]));
  const reads = step("r", ["old"]);
  const starts = step("t0", ["r"]);
  const writes = step("new", ["old", "t100"], "elementwise");
  const inPlace = (...steps: Step[]) => inPlaceTest(steps, new Set(["new"]), use)("old", "new");
  expect(inPlace(reads, starts, ...chain, writes)).toBe(true);
  expect(inPlace(reads, step("t0", ["x"]), ...chain, writes)).toBe(false);
});
