import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { listRuns } from "../../server/runs/runs.ts";
import { experimentText } from "../fixtures/experiment.ts";
import { quick } from "../vscode/workspace.ts";
import { missing, newestRun, openWindow, startVsCode, until, why, workspace } from "./support.ts";

describe.skipIf(missing)(`a workspace that is not trusted${why}`, () => {
  it("has checks and views, but starts no run until it is trusted", async () => {
    const code = await startVsCode({ trusted: false, theme: "light" });
    const experiment = workspace(quick);
    writeFileSync(join(experiment.folder, "broken.btx.yaml"), experimentText({ mix: "{router: {k: 0}}" }));
    const words = join(workspace(quick).folder, "words", "*.txt");
    writeFileSync(
      join(experiment.folder, "outside.btx.yaml"),
      experimentText({ domains: `{words: {files: "${words}"}}` }),
    );
    const window = await openWindow(code, experiment.folder);
    await window.openViews("BTX Studio");
    await window.rows("tiny.btx.yaml").waitFor();
    await window.openFile("broken.btx.yaml");
    await window.page.locator(".squiggly-error").first().waitFor();
    await window.screenshot("restricted");
    await window.openFile("outside.btx.yaml");
    // Its files are looked at once the workspace is trusted.
    const unread = window.page.locator(".squiggly-info");
    await unread.first().waitFor();
    expect(await window.offers("BTX Studio: Show Log")).toBe(true);
    expect(await window.offers("BTX Studio: Run Experiment")).toBe(false);
    expect(await listRuns(experiment.root)).toEqual([]);

    await window.palette("Workspaces: Manage Workspace Trust");
    await window.page.locator(".workspace-trust-editor .monaco-button", { hasText: "Trust" }).first().click();
    await until("runs are offered", () => window.offers("BTX Studio: Run Experiment"));
    await window.openFile("outside.btx.yaml");
    await until("its files are checked", async () => (await unread.count()) === 0);
    await window.openFile("tiny.btx.yaml");
    await window.palette("BTX Studio: Run Experiment");
    await newestRun(experiment, "done");
    expect(window.errors).toEqual([]);
  });
});
