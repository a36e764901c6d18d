import { describe, expect, it } from "vitest";
import { runShare, stageShare } from "../../../extension/progress.ts";
import { runText, stageText } from "../../../extension/tree/texts.ts";
import type { ListedRun, ListedStage } from "../../../server/protocol/editor.ts";
import { percentDone } from "../../../server/protocol/format.ts";

const stage = (change: Partial<ListedStage>): ListedStage => ({
  name: "seed",
  kind: "seed",
  key: "0".repeat(16),
  folder: "/a",
  state: "waiting",
  reused: false,
  work: 0,
  checkpoints: [],
  experts: [],
  ...change,
});
const half = stage({ state: "running", done: 50, total: 100, work: 300 });

describe("the share of work that is done", () => {
  it("of a run counts tokens, and not what was done before it", () => {
    const stages = [stage({ state: "done", reused: true, work: 1e9 }), half, stage({ work: 100 }), stage({})];
    expect(runShare(stages)).toBe(150 / 400);
    expect(runShare([stage({ state: "done" }), stage({})])).toBe(0.5);
    expect(runShare([stage({ state: "done", reused: true })])).toBe(1);
    expect(runShare([])).toBe(0);
  });

  it("is between nothing and all, and 100 % only at the end", () => {
    expect(stageShare(stage({ done: 5, total: 0 }))).toBe(0);
    expect(stageShare(stage({ done: 7, total: 5 }))).toBeLessThan(1);
    expect(percentDone(0.9999)).toBe("99 %");
    expect(percentDone(1)).toBe("100 %");
    // All tokens are trained on, and the last stage still saves its model, or evaluates.
    const last = [stage({ state: "done", work: 5 }), stage({ state: "running", done: 5, total: 5, work: 5 })];
    expect(percentDone(runShare(last))).toBe("99 %");
    expect(percentDone(stageShare(last[1]!))).toBe("99 %");
  });
});

describe("what rows say", () => {
  it("of a stage is its state, and its numbers with their units", () => {
    const seed = { ...half, loss: 2.3456, tokensPerSecond: 3400, secondsLeft: 65 };
    expect(stageText(seed)).toBe("50 %, step 50 of 100, loss 2.346 nats, 3.4k tokens/s, 1m 05s left");
    expect(stageText(stage({}))).toBe("waiting");
    expect(stageText(stage({ state: "running", done: 1, total: 4, label: "reading" }))).toBe("25 %, reading");
    expect(stageText(stage({ state: "done", reused: true, heldOut: { a: 1, b: 2 }, seconds: 3 }))).toBe(
      "reused, 1.500 nats held-out, 3.0 s",
    );
    expect(stageText(stage({ state: "failed" }))).toBe("failed");
  });

  it("of a run is its state, and what it is at", () => {
    const run: ListedRun = { root: "/", run: "r", name: "n", file: "/n", state: "running", created: "2026-01-01" };
    expect(runText(run, undefined)).toBe("running");
    expect(runText(run, [half, { ...half, name: "x" }, { ...half, name: "y" }])).toBe("running, 50 %, seed and 2 more");
    const done: ListedRun = { ...run, state: "done", finished: "2026-01-01T00:01:05.000Z" };
    expect(runText(done, undefined)).toBe("done, 1m 05s");
  });
});
