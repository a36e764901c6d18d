import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { nodeProgram } from "../vscode/harness/kit.ts";
import { quick } from "../vscode/workspace.ts";
import { missing, newestRun, openWindow, scratch, startVsCode, until, why, workspace } from "./support.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const target = `${process.platform}-${process.arch}`;

describe.skipIf(missing)(`the packed extension${why}`, () => {
  const vsix = join(scratch, "btx-studio.vsix");
  beforeAll(() => {
    const { status, stderr } = spawnSync(nodeProgram, ["vsix.mjs", target, vsix], { cwd: project, encoding: "utf8" });
    if (status !== 0) throw new Error(`vsix.mjs failed:\n${stderr}`);
  });

  it("is less than 30 MB, and runs an experiment in a VS Code that has nothing else", async () => {
    expect(statSync(vsix).size).toBeLessThan(30e6);
    const code = await startVsCode({ extension: { vsix }, theme: "high contrast" });
    const experiment = workspace(quick);
    const window = await openWindow(code, experiment.folder);
    await window.openFile("tiny.btx.yaml");
    await window.openViews("BTX Studio");
    await window.palette("BTX Studio: Run Experiment");
    const run = await newestRun(experiment, "done", 60_000);
    await window.rows("done").waitFor();
    await window.palette("BTX Studio: Open Report");
    await window.webview().locator("h1", { hasText: "tiny" }).waitFor();
    await window.screenshot("packed");
    expect(run.record.stages.length).toBeGreaterThan(5);
    // What ran was the installed extension, and not this project.
    await until("its backend runs", () => code.server.processesOf(`${code.server.home}/extensions/`).length > 0);
    expect(await window.page.title()).not.toContain("Extension Development Host");
    expect(window.errors).toEqual([]);
  });
});
