import { beforeAll, describe, expect, it } from "vitest";
import { stagePaths } from "../../server/runs/layout.ts";
import { readLastMetric } from "../../server/runs/read.ts";
import type { Run } from "../../server/runs/runs.ts";
import type { ExperimentFolder } from "../fixtures/experiment.ts";
import type { VsCode } from "../vscode/harness/vscode.ts";
import type { Window } from "../vscode/harness/window.ts";
import { long } from "../vscode/workspace.ts";
import { isAlive, missing, newestRun, openWindow, startVsCode, until, why, workspace } from "./support.ts";

/** One run, started in a window, and everything that may happen to window and backend meanwhile. */
describe.skipIf(missing)(`a run started from the palette${why}`, () => {
  let code: VsCode;
  let experiment: ExperimentFolder;
  let window: Window;
  let run: Run;
  const runner = () => run.holder!.pid;
  const step = async () => {
    const { key } = run.record.stages.find(({ name }) => name === "seed")!;
    return (await readLastMetric(stagePaths(experiment.root, key)))?.step ?? 0;
  };
  /** The process is still the same and makes progress. */
  const goesOn = async () => {
    const before = await step();
    await until("a later step", async () => (await step()) > before);
    expect(isAlive(runner())).toBe(true);
  };
  const backend = () => code.server.processesOf("dist/server.js");

  beforeAll(async () => {
    code = await startVsCode();
    experiment = workspace(long);
  });

  it("appears at once in the tree and in the status bar", async () => {
    window = await openWindow(code, experiment.folder);
    await window.openFile("tiny.btx.yaml");
    await window.openViews("BTX Studio");
    await window.palette("BTX Studio: Run Experiment");
    await window.rows("running").waitFor();
    await window.page.locator(".statusbar-item", { hasText: "tiny" }).waitFor();
    run = await newestRun(experiment, "running");
    await until("it trains", step);
    await window.screenshot("run");
  });

  it("also appears in a second window on the folder", async () => {
    const second = await openWindow(code, experiment.folder);
    await second.openViews("BTX Studio");
    await second.rows("running").waitFor();
    expect(backend()).toHaveLength(2);
    await second.close();
    await until("the second window's backend has ended", () => backend().length === 1);
    await goesOn();
  });

  it("continues when the backend is killed, which restarts with one message", async () => {
    const [first] = backend();
    process.kill(first!, "SIGKILL");
    const message = window.notifications("exited and was restarted");
    await message.waitFor();
    const [next] = await until("another backend", () => {
      const now = backend().filter((pid) => pid !== first);
      return now.length === 1 ? now : undefined;
    });
    await goesOn();
    await message.locator(".codicon-notifications-clear").click();
    await message.waitFor({ state: "detached" });
    process.kill(next!, "SIGKILL");
    await until("a third backend", () => backend().some((pid) => pid !== first && pid !== next));
    await window.rows("running").waitFor();
    await goesOn();
    expect(await message.count()).toBe(0);
  });

  it("continues when the window is reloaded, and appears again", async () => {
    const [before] = backend();
    await window.reload();
    await window.openViews("BTX Studio");
    await window.rows("running").waitFor();
    await until("the window has a backend of its own", () => {
      const now = backend();
      return now.length === 1 && now[0] !== before;
    });
    await goesOn();
  });

  it("continues when the last window is closed, and a later window can stop it", async () => {
    await window.close();
    await until("no backend is left", () => backend().length === 0);
    await goesOn();
    window = await openWindow(code, experiment.folder);
    await window.openViews("BTX Studio");
    await window.rows("running").waitFor();
    await window.palette("BTX Studio: Stop Run");
    await window.rows("stopped").waitFor();
    await newestRun(experiment, "stopped");
    await until("its processes have ended", () => !isAlive(runner()));
    expect(window.errors).toEqual([]);
  });
});
