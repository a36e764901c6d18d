import { strict as assert } from "node:assert";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as vscode from "vscode";
import { stagePaths } from "../../server/runs/layout.ts";
import { readLastMetric } from "../../server/runs/read.ts";
import { api, file, reaches, runWith, until } from "./support.ts";

describe("a run", () => {
  it("runs from the command to its report, and appears in the tree", async () => {
    const run = await runWith("btx.run", { file: file("quick/tiny.btx.yaml").fsPath });
    const { experiments } = await api();
    const listed = () => experiments.runsOf(file("quick/tiny.btx.yaml")).find((one) => one.run === run.run);
    await until("the run is listed", listed);
    const record = await reaches(run, "done");
    assert.deepEqual(
      record.stages.map(({ name }) => name).filter((name) => name === "mix" || name === "finetune"),
      ["mix", "finetune"],
    );
    await until("the tree says that it is done, with a report", () => listed()?.state === "done" && listed()?.report);
    await vscode.commands.executeCommand("btx.openReport", { file: file("quick/tiny.btx.yaml"), run: run.run });
    await until("the report is open", () =>
      vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs).some(({ label }) => label === "tiny: report"),
    );
  });

  it("stops at a checkpoint and resumes from there", async () => {
    const argument = { file: file("medium/tiny.btx.yaml") };
    const run = await runWith("btx.run", argument);
    const { key } = (await reaches(run, "running")).stages.find(({ name }) => name === "seed")!;
    const step = async () => (await readLastMetric(stagePaths(run.root, key)))?.step;
    await until("the seed trains", step);
    assert.deepEqual(await vscode.commands.executeCommand("btx.stop", { ...argument, run: run.run }), {
      running: true,
    });
    await reaches(run, "stopped");
    const stoppedAt = (await step())!;
    assert.ok(stoppedAt > 0 && existsSync(stagePaths(run.root, key).state));
    assert.deepEqual(await runWith("btx.resume", { ...argument, run: run.run }), run);
    await reaches(run, "done");
    const log = readFileSync(join(run.root, "runs", run.run, "log.txt"), "utf8");
    assert.equal(log.match(/^Run /gm)?.length, 2);
    const steps = readFileSync(stagePaths(run.root, key).metrics, "utf8").trim().split("\n");
    assert.deepEqual(
      steps.map((line) => JSON.parse(line).step),
      steps.map((_, index) => index + 1),
    );
  });

  it("of a file with mistakes does not start, and the message names the mistake", async () => {
    const { backend } = await api();
    const broken = file("broken/broken.btx.yaml").fsPath;
    await assert.rejects(
      backend.request("btx/startRun", { file: broken }),
      /broken\.btx\.yaml:\d+:\d+.*nothing was run/s,
    );
    assert.deepEqual(
      readdirSync(join(file("broken").fsPath, ".btx")).filter((name) => name.endsWith(".log")),
      [],
    );
  });

  it("of a file in a folder named like a shell command runs, and the shell command does not", async () => {
    const folder = vscode.workspace.workspaceFolders![0]!.uri.fsPath;
    const odd = readdirSync(folder).find((name) => name.startsWith("odd"))!;
    const run = await runWith("btx.run", { file: file(odd, "tiny.btx.yaml") });
    await reaches(run, "done");
    assert.deepEqual(
      [folder, join(folder, odd)].flatMap((path) => readdirSync(path)).filter((name) => name === "hacked"),
      [],
    );
  });
});
