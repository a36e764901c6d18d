import { strict as assert } from "node:assert";
import { join } from "node:path";
import * as vscode from "vscode";
import { listRuns } from "../../server/runs/runs.ts";
import { extension, file, until } from "./support.ts";
import { experimentIn, quick } from "./workspace.ts";

/** Runs a task to its end and returns its exit code. */
async function ended(task: vscode.Task): Promise<number | undefined> {
  let resolve!: (code: number | undefined) => void;
  const promise = new Promise<number | undefined>((ended) => {
    resolve = ended;
  });
  const listening = vscode.tasks.onDidEndTaskProcess(({ execution, exitCode }) => {
    if (execution.task.name === task.name) resolve(exitCode);
  });
  await vscode.tasks.executeTask(task);
  const code = await promise;
  listening.dispose();
  return code;
}

describe("a task of the type btx", () => {
  before(() => experimentIn(file("tasks").fsPath, quick));

  it("is offered for each experiment file, runs it, and ends with the run's result", async () => {
    const task = await until("the task is offered", async () =>
      (await vscode.tasks.fetchTasks({ type: "btx" })).find(
        ({ definition }) => definition.file === "tasks/tiny.btx.yaml",
      ),
    );
    assert.deepEqual(task.problemMatchers, ["$btx"]);
    assert.equal(await ended(task), 0);
    const runs = await listRuns(file("tasks/.btx").fsPath);
    assert.deepEqual(
      runs.map((entry) => "run" in entry && entry.run.state),
      ["done"],
    );
  });

  it("takes a stage, a random seed and cores from tasks.json", async () => {
    const label = "only the seed";
    const task = { label, type: "btx", file: "tasks/tiny.btx.yaml", stage: "seed", randomSeed: 7, cores: 1 };
    const text = JSON.stringify({ version: "2.0.0", tasks: [task] });
    await vscode.workspace.fs.writeFile(file(".vscode/tasks.json"), new TextEncoder().encode(text));
    const configured = await until("the task is known", async () =>
      (await vscode.tasks.fetchTasks({ type: "btx" })).find(({ name }) => name === label),
    );
    assert.equal(await ended(configured), 0);
    await vscode.workspace.fs.delete(file(".vscode/tasks.json"));
    const newest = (await listRuns(file("tasks/.btx").fsPath)).at(-1)!;
    assert.ok("run" in newest);
    assert.equal(newest.run.record.randomSeed, 7);
    assert.deepEqual(
      newest.run.record.stages.map(({ name }) => name),
      ["data", "seed"],
    );
  });

  it("of a file with mistakes fails and shows them", async () => {
    experimentIn(file("wrong").fsPath, { mix: "{router: {k: 0}}" });
    const task = await until("the task is offered", async () =>
      (await vscode.tasks.fetchTasks({ type: "btx" })).find(
        ({ definition }) => definition.file === "wrong/tiny.btx.yaml",
      ),
    );
    assert.equal(await ended(task), 2);
    const marks = () => vscode.languages.getDiagnostics(file("wrong/tiny.btx.yaml"));
    const [mark] = await until("the problem matcher has marked it", () => (marks().length > 0 ? marks() : undefined));
    assert.match(mark!.message, /at least 1, not 0/);
  });

  it("is not needed for marks from btx check, whose output has a problem matcher", async () => {
    experimentIn(file("checked").fsPath, { mix: "{router: {k: 0}}" });
    const cwd = file().fsPath;
    const check = [join(extension().extensionPath, "dist/btx.js"), "check", "checked/tiny.btx.yaml"];
    const execution = new vscode.ProcessExecution(process.execPath, check, { cwd });
    const scope = vscode.workspace.workspaceFolders![0]!;
    assert.equal(await ended(new vscode.Task({ type: "process" }, scope, "check", "test", execution, "$btx-check")), 2);
    const marks = () => vscode.languages.getDiagnostics(file("checked/tiny.btx.yaml"));
    const [mark] = await until("it is marked", () => (marks().length > 0 ? marks() : undefined));
    assert.equal(mark!.source, "btx");
  });
});
