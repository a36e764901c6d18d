import { cpSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { RunSummary } from "../../server/protocol/run.ts";
import { type ExperimentFolder, experimentFolder, experimentText, writeWords } from "../fixtures/experiment.ts";
import { btxSummary, stageEvent, startBtx } from "./btx.ts";
import { newestRun, readRunRecord, runBits } from "./results.ts";
import { copyOfFinished, finishedExperiment, scratchFolder } from "./scratch.ts";

describe("a stage that was done under the same key", () => {
  const short = { compare: undefined };
  const names = (summary: RunSummary, reused: boolean) =>
    summary.stages.filter((stage) => stage.reused === reused).map(({ name }) => name);
  const write = ({ file }: ExperimentFolder, sections: Parameters<typeof experimentText>[0]) =>
    writeFileSync(file, experimentText({ ...short, ...sections }));

  it("is reused by a second run of the same file, in another folder too, with the same results", async () => {
    const { folder } = finishedExperiment();
    const moved = scratchFolder();
    cpSync(folder, moved, { recursive: true });
    const { file, root } = experimentFolder(moved);
    const first = newestRun(root);
    const summary = await btxSummary(["run", file]);
    expect(names(summary, false)).toEqual([]);
    expect(summary.status).toBe("done");
    expect(summary.run).not.toBe(first);
    expect(runBits(root, summary.run)).toEqual(runBits(root, first));
    expect(readRunRecord(root, first).status).toBe("done");
  });

  it("is not touched when `k` changes, except for the mix and what follows from it", async () => {
    const experiment = copyOfFinished();
    write(experiment, { mix: "{router: {k: 1}}" });
    const summary = await btxSummary(["run", experiment.file]);
    expect(names(summary, false)).toEqual(["mix", "finetune", "evaluate:mix", "evaluate:finetune"]);
    // One expert a token.
    for (const layer of summary.routing)
      for (const domain of [0, 1]) expect(layer.reduce((sum, shares) => sum + shares[domain]!, 0)).toBeCloseTo(1, 6);
  });

  it("is done anew, and all that follows, when a domain's text changes", async () => {
    const experiment = copyOfFinished();
    write(experiment, {});
    writeWords(experiment.folder, 7);
    const command = startBtx(["run", experiment.file, "--json"]);
    await command.line(stageEvent("seed", "running"));
    const stages = command.lines.filter((line) => line.event === "stage").map(({ stage, status }) => [stage, status]);
    expect(stages).toEqual([
      ["data", "running"],
      ["data", "done"],
      ["seed", "running"],
    ]);
    command.signalAll("SIGINT");
    expect((await command.ended).code).toBe(3);
  });

  it("is done again after its folder was removed, with the same bits, and the stages after it are reused", async () => {
    const experiment = copyOfFinished();
    const before = runBits(experiment.root, newestRun(experiment.root));
    rmSync(`${experiment.root}/stages/${before["expert:words"]!.key}`, { recursive: true });
    const summary = await btxSummary(["run", experiment.file]);
    expect(names(summary, false)).toEqual(["expert:words"]);
    expect(runBits(experiment.root, summary.run)).toEqual(before);
  });
});
