import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { listRuns } from "../../server/runs/runs.ts";
import type { ExperimentFolder } from "../fixtures/experiment.ts";
import type { VsCode } from "../vscode/harness/vscode.ts";
import type { Window } from "../vscode/harness/window.ts";
import { long, quick } from "../vscode/workspace.ts";
import { missing, newestRun, openWindow, startVsCode, until, why, workspace } from "./support.ts";

/** One file, from its first mistake to compared runs, with the editor alone. */
describe.skipIf(missing)(`an experiment file in a window${why}`, () => {
  let code: VsCode;
  let experiment: ExperimentFolder;
  let window: Window;
  const runs = async () => (await listRuns(experiment.root)).length;
  const squiggles = () => window.page.locator(".squiggly-error");

  beforeAll(async () => {
    code = await startVsCode();
    experiment = workspace({ ...quick, mix: "{router: {k: 2, loadBalence: 0.01}}" });
    window = await openWindow(code, experiment.folder);
    await window.openFile("tiny.btx.yaml");
    await window.openViews("BTX Studio");
  });

  it("shows its mistake, and a quick fix repairs it", async () => {
    await squiggles().first().waitFor();
    await window.page.locator(".view-line", { hasText: "loadBalence" }).click();
    // The keys that a user presses: go to the next mistake, close its message, show quick fixes.
    await window.page.keyboard.press("F8");
    await window.page.locator(".marker-widget", { hasText: "loadBalence" }).waitFor();
    await window.page.keyboard.press("Escape");
    await window.page.keyboard.press("Control+.");
    await window.page.locator(".action-widget", { hasText: "Change to `loadBalance`" }).waitFor();
    await window.page.keyboard.press("Enter");
    await squiggles().first().waitFor({ state: "detached" });
    await window.page.keyboard.press("Control+s");
    await until("it is saved", () => readFileSync(experiment.file, "utf8").includes("loadBalance: 0.01"));
  });

  it("runs from the lens above it", async () => {
    await window.page
      .locator(".codelens-decoration a", { hasText: /^\s*Run$/ })
      .first()
      .click();
    await window.rows("running").waitFor();
    await newestRun(experiment, "done", 100_000);
    await window.rows("done").waitFor();
    await window.page.locator(".codelens-decoration", { hasText: /done, mean loss \d\.\d{3} nats \(/ }).waitFor();
  });

  it("runs as a task, whose terminal shows the result", async () => {
    const before = await runs();
    await window.palette("Tasks: Run Build Task");
    await window.page.locator(".quick-input-widget .monaco-list-row", { hasText: "btx: run tiny.btx.yaml" }).click();
    await until("another run", async () => (await runs()) > before);
    await newestRun(experiment, "done", 100_000);
    await window.page.locator(".part.panel .xterm").waitFor();
    await window.rows("done").nth(1).waitFor();
  });

  it("has runs that can be compared by dragging one onto another", async () => {
    const comparison = window.page.locator(".tab.active", { hasText: "Comparison: tiny" });
    // A busy browser may interpret a drag as clicks.
    await until("it is dragged", async () => {
      await window.rows("done").nth(0).dragTo(window.rows("done").nth(1));
      return comparison.waitFor({ timeout: 8000 }).then(
        () => true,
        () => false,
      );
    });
    await window.webview().getByRole("heading").first().waitFor();
    await window.screenshot("dragged");
  });

  it("keeps its rows expanded and its comparison open when the window is reloaded", async () => {
    const row = window.rows("done").first();
    await row.locator(".monaco-tl-twistie").click();
    await window
      .rows(/^\s*seed/)
      .first()
      .waitFor();
    // In a browser, VS Code saves the state of extensions every five seconds.
    await setTimeout(6000);
    await window.reload();
    await window.openViews("BTX Studio");
    await window
      .rows(/^\s*seed/)
      .first()
      .waitFor();
    await window.page.locator(".tab.active", { hasText: "Comparison: tiny" }).waitFor();
    await window.webview().getByRole("heading").first().waitFor();
    await window.screenshot("comparison-again");
    expect(window.errors).toEqual([]);
  });
});

describe.skipIf(missing)(`a run whose stage is killed${why}`, () => {
  it("shows it in the tree, and the buttons of its row resume and stop it", async () => {
    const code = await startVsCode();
    const experiment = workspace(long);
    const window = await openWindow(code, experiment.folder);
    await window.openFile("tiny.btx.yaml");
    await window.openViews("BTX Studio");
    await window.palette("BTX Studio: Run Experiment");
    await window.rows("running").waitFor();
    const [stage] = await until("a stage's process", () => {
      const found = code.server.processesOf("dist/stage.js");
      return found.length > 0 ? found : undefined;
    });
    process.kill(stage!, "SIGKILL");
    const row = (state: string) => window.rows(state).first();
    const press = async (state: string, button: string) => {
      await row(state).hover();
      await row(state).locator(`[aria-label^="${button}"]`).click();
    };
    await row("failed").waitFor();
    await newestRun(experiment, "failed");
    await press("failed", "Resume Run");
    await newestRun(experiment, "running");
    await window.rows(/running, \d+ %, seed/).waitFor();
    // The status bar lists running stages; picking one reveals it in the tree.
    await window.page.locator(".statusbar-item", { hasText: "tiny" }).click();
    await window.page.locator(".quick-input-widget .monaco-list-row", { hasText: /^\s*seed/ }).click();
    await window.page.locator(".part.sidebar .monaco-list-row.selected", { hasText: "seed" }).waitFor();
    await press("running", "Stop Run");
    await newestRun(experiment, "stopped");
    await row("stopped").waitFor();
    expect(window.errors).toEqual([]);
  });
});
