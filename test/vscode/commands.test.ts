import { strict as assert } from "node:assert";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import * as vscode from "vscode";
import type { RunReference } from "../../server/protocol/editor.ts";
import { runPaths, stagePaths } from "../../server/runs/layout.ts";
import { readRun } from "../../server/runs/runs.ts";
import { answer, type Item, noAnswers, picking, tabs } from "./prompts.ts";
import { api, file, reaches, runWith, until } from "./support.ts";
import { experimentIn, quick } from "./workspace.ts";

describe("a command", () => {
  const experiment = () => file("commands/tiny.btx.yaml");
  let run: RunReference;
  const keyOf = async (stage: string) => {
    const found = await readRun(runPaths(run.root, run.run).folder);
    return found!.record.stages.find(({ name }) => name === stage)!.key;
  };
  const listed = async () => {
    const { experiments } = await api();
    return until("the run is listed", () =>
      experiments.runs.find((one) => one.run === run.run && one.root === run.root),
    );
  };
  /** The argument that a row of the tree passes to a command. */
  const stageArgument = async (name: string) => {
    const { experiments } = await api();
    const stage = (await experiments.stagesOf(run)).find((one) => one.name === name);
    return { listed: await listed(), stage };
  };

  before(async () => {
    experimentIn(file("commands").fsPath, quick);
    run = await runWith("btx.run", { file: experiment() });
    await reaches(run, "done");
  });
  afterEach(() => noAnswers());

  it("writes a new experiment with folders as domains, and opens it", async () => {
    mkdirSync(file("poems").fsPath, { recursive: true });
    const picks = [picking("Minimal"), async (items: Item[]) => [items.find(({ label }) => label.includes("poems"))!]];
    answer("showQuickPick", (items: Item[]) => picks.shift()!(items));
    answer("showInputBox", () => "mine");
    await vscode.commands.executeCommand("btx.newExperiment");
    const document = vscode.window.activeTextEditor!.document;
    assert.equal(document.uri.path, file("mine.btx.yaml").path);
    assert.equal(document.languageId, "btx");
    assert.match(document.getText(), /poems: \{files: "poems"\}/);
    await vscode.workspace.fs.delete(document.uri);
  });

  it("runs one stage and the stages it needs, and no others", async () => {
    const single = (await vscode.commands.executeCommand("btx.runStage", {
      file: experiment(),
      stage: "experts",
    })) as RunReference;
    const { stages } = await reaches(single, "done");
    assert.deepEqual(
      stages.map(({ name }) => name),
      ["data", "seed", "expert:words", "expert:sums"],
    );
    const asked = answer("showQuickPick", picking("seed"));
    const picked = (await vscode.commands.executeCommand("btx.runStage", experiment())) as RunReference;
    assert.equal((await reaches(picked, "done")).stages.length, 2);
    const items = asked[0]![0] as Item[];
    assert.ok(items.some(({ label }) => label === "expert:sums"));
  });

  it("compares runs side by side", async () => {
    answer("showQuickPick", async (items: Item[]) => items.filter(({ one }) => (one as RunReference).run === run.run));
    const page = await vscode.commands.executeCommand("btx.compare");
    assert.equal(page, join(run.root, "compare", "comparison.html"));
    assert.ok(tabs().includes("Comparison: tiny"), tabs().join(", "));
  });

  it("samples from a model into a document that need not be saved", async () => {
    await vscode.commands.executeCommand("workbench.action.closeAllEditors");
    answer("showInputBox", () => "branch train");
    answer("showQuickPick", picking("Sample"));
    const argument = await stageArgument("finetune");
    const uri = (await vscode.commands.executeCommand("btx.sample", argument)) as vscode.Uri;
    const document = await vscode.workspace.openTextDocument(uri);
    await until("the text is there", () => document.getText().length > "branch train".length);
    assert.ok(document.getText().startsWith("branch train"), document.getText());
    assert.equal(document.isDirty, false);
  });

  it("that samples ends at once if it is cancelled", async () => {
    answer("showInputBox", () => "mix");
    answer("showQuickPick", picking("Sample"));
    const source = new vscode.CancellationTokenSource();
    answer("withProgress", (_: unknown, task: (progress: unknown, token: vscode.CancellationToken) => unknown) =>
      task({ report() {} }, source.token),
    );
    const sampling = vscode.commands.executeCommand("btx.sample", await stageArgument("seed"));
    await setTimeout(50);
    const cancelled = Date.now();
    source.cancel();
    const uri = (await sampling) as vscode.Uri;
    assert.ok(Date.now() - cancelled < 2000, `${Date.now() - cancelled} ms`);
    const document = await vscode.workspace.openTextDocument(uri);
    const length = document.getText().length;
    await setTimeout(300);
    assert.equal(document.getText().length, length);
  });

  it("forks a run with one of its models into an experiment without mistakes", async () => {
    const path = (await vscode.commands.executeCommand("btx.fork", await stageArgument("expert:words"))) as string;
    const { document } = vscode.window.activeTextEditor!;
    assert.equal(document.uri.fsPath, path);
    assert.ok(document.getText().includes(`stages/${await keyOf("expert:words")}/checkpoint`));
    const forked = await runWith("btx.run", { file: path });
    await reaches(forked, "done");
    await vscode.workspace.fs.delete(document.uri);
  });

  it("exports a model and the report", async () => {
    const parent = file("exports");
    mkdirSync(parent.fsPath, { recursive: true });
    answer("showOpenDialog", () => [parent]);
    const folder = (await vscode.commands.executeCommand("btx.exportModel", await stageArgument("finetune"))) as string;
    assert.equal(folder, join(parent.fsPath, "tiny-finetune"));
    const original = stagePaths(run.root, await keyOf("finetune")).checkpoint;
    assert.deepEqual(readdirSync(folder).sort(), readdirSync(original).sort());
    const target = vscode.Uri.joinPath(parent, "report.html");
    answer("showSaveDialog", () => target);
    await vscode.commands.executeCommand("btx.exportReport", { listed: await listed() });
    assert.match(readFileSync(target.fsPath, "utf8"), /^<!doctype html>/i);
  });

  it("verifies a run", async () => {
    const verified = (await vscode.commands.executeCommand("btx.verifyRun", { listed: await listed() })) as {
      files: number;
      problems: unknown[];
    };
    assert.deepEqual(verified.problems, []);
    assert.ok(verified.files > 20);
  });

  it("shows the log of a stage", async () => {
    await vscode.commands.executeCommand("btx.showLog", await stageArgument("mix"));
    assert.match(vscode.window.activeTextEditor!.document.getText(), /process \d+ starts/);
  });

  it("reruns a run from a stage on, after showing what will be lost", async () => {
    const record = stagePaths(run.root, await keyOf("finetune")).record;
    const seed = stagePaths(run.root, await keyOf("seed")).record;
    const [before, seedBefore] = [statSync(record).mtimeMs, statSync(seed).mtimeMs];
    const argument = await stageArgument("finetune");
    answer("showWarningMessage", () => undefined);
    assert.equal(await vscode.commands.executeCommand("btx.rerun", argument), undefined);
    assert.equal(statSync(record).mtimeMs, before);
    const asked = answer("showWarningMessage", () => "Remove and Rerun");
    await vscode.commands.executeCommand("btx.rerun", argument);
    assert.match(
      (asked[0]![1] as { detail: string }).detail,
      /2 stages, .*kB, .* of work: finetune, evaluate:finetune\./,
    );
    await until("finetune is done again", () => existsSync(record) && statSync(record).mtimeMs > before);
    await reaches(run, "done");
    assert.equal(statSync(seed).mtimeMs, seedBefore);
  });

  it("deletes a run and lists the stages that no other run uses; kept ones are unused and can be cleaned", async () => {
    const { experiments } = await api();
    const key = await keyOf("finetune");
    const asked = answer("showWarningMessage", () => "Delete Run Only");
    await vscode.commands.executeCommand("btx.deleteRun", { listed: await listed() });
    assert.match((asked[0]![1] as { detail: string }).detail, /No other run uses \d+ stages, .*finetune/);
    assert.equal(existsSync(runPaths(run.root, run.run).folder), false);
    assert.ok(experiments.runs.every((one) => one.run !== run.run || one.root !== run.root));
    assert.ok(existsSync(stagePaths(run.root, key).folder));
    answer("showInformationMessage", () => undefined);
    answer("showQuickPick", async (items: Item[]) => items.filter(({ root }) => root === run.root));
    answer("showWarningMessage", () => "Remove");
    const cleaned = (await vscode.commands.executeCommand("btx.cleanStages")) as { stages: number; kept: string[] };
    assert.ok(cleaned.stages > 0);
    assert.deepEqual(cleaned.kept, []);
    assert.equal(existsSync(stagePaths(run.root, key).folder), false);
  });

  it("writes the device of an experiment, and removes it again", async () => {
    const document = await vscode.workspace.openTextDocument(experiment());
    const before = document.getText();
    const processor = async (items: Thenable<Item[]>) =>
      (await items).find(({ description }) => description?.startsWith("engine onnx, device cpu"))!;
    answer("showQuickPick", processor as never);
    await vscode.commands.executeCommand("btx.selectDevice", experiment());
    assert.equal(document.getText(), `${before}engine: onnx\ndevices: [cpu]\n`);
    const mistakes = () => vscode.languages.getDiagnostics(document.uri).map(({ message }) => message);
    await setTimeout(1000);
    assert.deepEqual(mistakes(), []);
    answer("showQuickPick", picking("auto"));
    await vscode.commands.executeCommand("btx.selectDevice", experiment());
    assert.equal(document.getText(), before);
  });

  it("lists the installable engines with their sizes, and installs only what is picked", async () => {
    const asked = answer("showQuickPick", () => undefined);
    assert.equal(await vscode.commands.executeCommand("btx.installEngine"), undefined);
    const items = (await asked[0]![0]) as Item[];
    assert.deepEqual(items.map(({ label }) => label.replace(/^\$\(.*\) /, "")).sort(), [
      "cuda",
      "tfjs-node",
      "tfjs-node-gpu",
    ]);
    for (const { description } of items)
      assert.match(description!, /^\d+\.\d+\.\d+(-on-\d+\.\d+\.\d+)?, (about|installed|not for)/);
  });

  it("that fails shows why in one sentence", async () => {
    const asked = answer("showErrorMessage", () => undefined);
    await vscode.commands.executeCommand("btx.runStage", { file: experiment(), stage: "finetunes" });
    assert.match(String(asked[0]![0]), /has no stage "finetunes".*finetune/);
  });
});
