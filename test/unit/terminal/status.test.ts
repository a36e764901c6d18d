import { describe, expect, it } from "vitest";
import type { RunRecord } from "../../../server/protocol/run.ts";
import type { Metric } from "../../../server/protocol/stage.ts";
import { width } from "../../../server/terminal/ansi.ts";
import { runList, runStatus, type StageState } from "../../../server/terminal/status.ts";
import { planTree } from "../../../server/terminal/tree.ts";
import { runFixture } from "../../fixtures/run.ts";

const fixture = runFixture();
const states = () =>
  new Map<string, StageState>(
    fixture.stages.map((record) => {
      const metric: Metric | undefined = fixture.metrics.get(record.name)?.at(-1);
      return [record.name, metric ? { record, metric } : { record }];
    }),
  );
const lineOf = (text: string, name: string) => text.split("\n").find((line) => line.includes(name)) ?? "";

describe("planTree", () => {
  it("hangs a stage under the model it continues, and a mix under the seed that its experts share", () => {
    const lines = planTree(fixture.run.stages);
    expect(lines.length).toBe(fixture.run.stages.length);
    const depth = (name: string) => (lines.find(({ stage }) => stage.name === name)?.prefix.length ?? -1) / 3;
    expect(["data", "seed", "expert:code", "mix", "finetune", "evaluate:finetune"].map(depth)).toEqual([
      0, 1, 2, 2, 3, 4,
    ]);
    expect(depth("btm:bayes")).toBe(2);
  });
});

describe("runStatus", () => {
  it("gives a line a stage with its state, step, loss, tokens/s and time", () => {
    const text = runStatus(fixture.run, states(), { color: false });
    expect(text).toMatch(/^three-domains {2}20260304-123000-7f3a {2}done, 21 of 21 stages done, started /);
    expect(lineOf(text, "expert:code")).toMatch(/├─ ✓ expert:code +done +500\/500 +\d\.\d{3} +20\.5k +25\.0 s$/);
    expect(lineOf(text, " seed ")).toMatch(/↺ seed +done, reused/);
  });

  it("tells waiting, running, interrupted and failed stages apart without colour", () => {
    const partly = states();
    partly.delete("finetune");
    for (const [name, change] of [
      ["expert:code", { status: "running" }],
      ["expert:prose", { status: "running" }],
      ["expert:math", { status: "failed", error: "The disk is full." }],
    ] as const) {
      const state = partly.get(name);
      if (state?.record)
        partly.set(name, { ...state, record: { ...state.record, ...change }, interrupted: name === "expert:prose" });
    }
    const text = runStatus(fixture.run, partly, { color: false });
    expect(lineOf(text, "─ ● expert:code")).toContain("running");
    expect(lineOf(text, "─ ■ expert:prose")).toContain("interrupted");
    expect(lineOf(text, "─ ✗ expert:math")).toContain("failed");
    expect(lineOf(text, "─ ○ finetune")).toContain("waiting");
    expect(text).toContain("\nexpert:math: The disk is full.\n");
    expect(text).toContain("17 of 21 stages done");
  });

  it("cuts lines to the columns it is given", () => {
    for (const columns of [30, 60, 80]) {
      const [, , ...lines] = runStatus(fixture.run, states(), { color: false, columns }).split("\n");
      for (const line of lines) expect(width(line)).toBeLessThanOrEqual(columns);
    }
  });

  it("lets no control character of a name or an error reach the terminal", () => {
    const evil = "\u001b[2Jx\u0007";
    const run: RunRecord = { ...fixture.run, name: evil, error: `${evil}\n${evil}` };
    const text = runStatus(run, states(), { color: false });
    expect(text).not.toContain("\u0007");
    expect(text).not.toContain("\u001b");
    expect(text).toContain("Error: ␛[2Jx␇");
  });
});

describe("runList", () => {
  const run = {
    id: "20260304-123000-7f3a",
    name: "three",
    status: "interrupted",
    started: "2026-03-04T12:30:00Z",
    stagesDone: 3,
    stages: 21,
  };

  it("has a line a run with name, status, stages done and best loss", () => {
    const [head, first, second] = runList([run, { ...run, id: "other", status: "done", bestLoss: 2.2341 }], {
      color: false,
    }).split("\n");
    expect(head).toMatch(/^run +name +status +started +stages +best loss, nats$/);
    expect(first).toMatch(/^20260304-123000-7f3a {2}three {2}■ interrupted {2}2026-03-0\d \d\d:\d\d +3\/21 +–$/);
    expect(second).toMatch(/^other .*✓ done .* 2\.234$/);
  });

  it("says how to start when there is none", () => {
    expect(runList([], { color: false })).toContain("btx run FILE");
  });

  it("lets no control character of a name reach the terminal", () => {
    expect(runList([{ ...run, name: "\u001b[31m", status: "\u001b]0;x" }], { color: false })).not.toContain("\u001b");
  });
});
