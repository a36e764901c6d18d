import { describe, expect, it } from "vitest";
import type { RunStanding } from "../../../../server/language/facts/newestRun.ts";
import { codeLenses } from "../../../../server/language/features/codeLenses.ts";
import { Snapshot } from "../../../../server/language/snapshot.ts";
import { opened } from "../support.ts";

const text =
  "# demo\ndomains: {a: {files: x}}\nseed: {}\nexperts:\n  tokens: 5k\nmix: {}\nfinetune: {}\ncompare: [btm]\n";
const file = "/nowhere/a.btx.yaml";

/** Lenses as "line: title > command and arguments". */
const lenses = (run?: RunStanding, offered?: string[]): string[] =>
  codeLenses(opened(text, file), run, offered).map(({ range, command }) => {
    const { file: path, ...rest } = command!.arguments?.[0] ?? {};
    expect(path).toBe(command!.command === "" ? undefined : file);
    return `${range.start.line}: ${command!.title} > ${command!.command} ${Object.values(rest).join(" ")}`.trim();
  });

const run = (state: RunStanding["state"], stages: RunStanding["stages"] = []): RunStanding => ({
  id: "r1",
  state,
  stages,
});

describe("code lenses", () => {
  it("offer to run a file that never was, and its stages", () => {
    expect(lenses()).toEqual([
      "0: $(play) Run > btx.run",
      "2: $(play) Run Stage > btx.runStage seed",
      "3: $(play) Run Stage > btx.runStage experts",
      "5: $(play) Run Stage > btx.runStage mix",
      "6: $(play) Run Stage > btx.runStage finetune",
      "7: $(play) Run Stage > btx.runStage compare",
    ]);
  });

  it("offer to stop a run that runs, and show how its stages stand", () => {
    const stages: RunStanding["stages"] = [
      { name: "data", state: "done" },
      { name: "seed", state: "done", loss: 2.5 },
      { name: "expert:a", state: "running", loss: 2 },
      { name: "expert:b", state: "done", loss: 1 },
      { name: "mix", state: "waiting" },
      { name: "finetune", state: "waiting" },
      { name: "dense", state: "running", loss: 3.25 },
      { name: "evaluate:seed", state: "running" },
      { name: "btm:bayes:1", state: "waiting" },
    ];
    expect(lenses(run("running", stages))).toEqual([
      "0: $(debug-stop) Stop > btx.stop r1",
      "0: $(graph-line) Open Metrics > btx.openMetrics r1",
      "0: $(type-hierarchy) Open Routing > btx.openRouting r1",
      "0: running (r1) >",
      "2: done, loss 2.500 nats > btx.openMetrics r1 seed",
      "3: 1 running, 1 done, mean loss 1.500 nats > btx.openMetrics r1 experts",
      "5: waiting > btx.openMetrics r1 mix",
      "6: waiting > btx.openMetrics r1 finetune",
      "7: 1 running, 1 waiting, loss 3.250 nats > btx.openMetrics r1 compare",
    ]);
  });

  it.each([
    "stopped",
    "failed",
    "interrupted",
  ] as const)("offer to resume a run that was %s, or to begin anew", (state) => {
    const titles = lenses(run(state)).map((line) => line.split(" > ")[0]);
    expect(titles.slice(0, 2)).toEqual(["0: $(debug-continue) Resume", "0: $(play) Run"]);
    expect(titles).toContain("2: $(play) Run Stage");
  });

  it("show the mean loss of a run that is done", () => {
    expect(lenses({ ...run("done"), meanLoss: 2.3141 })).toContain("0: done, mean loss 2.314 nats (r1) >");
  });

  it("are left out where the editor has no such command", () => {
    expect(lenses(run("done"), ["btx.run"])).toEqual(["0: $(play) Run > btx.run", "0: done (r1) >"]);
  });

  it("do not stand in files that are on no disk", () => {
    expect(codeLenses(new Snapshot("untitled:1", 1, text), undefined)).toEqual([]);
  });
});
