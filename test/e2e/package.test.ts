import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { extract } from "../../server/install/zip.ts";
import { experimentFolder } from "../fixtures/experiment.ts";
import { nodeProgram } from "../vscode/harness/kit.ts";
import { missing, newestRun, openWindow, scratch, startVsCode, until, why } from "./support.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const target = `${process.platform}-${process.arch}`;

describe.skipIf(missing)(`the packed extension${why}`, () => {
  const vsix = join(scratch, "btx-studio.vsix");
  beforeAll(() => {
    const { status, stderr } = spawnSync(nodeProgram, ["vsix.mjs", target, vsix], { cwd: project, encoding: "utf8" });
    if (status !== 0) throw new Error(`vsix.mjs failed:\n${stderr}`);
  });

  it("brings the licences of what it is made of", async () => {
    await extract(vsix, ["extension/THIRD_PARTY_NOTICES.txt"], scratch);
    const notices = readFileSync(join(scratch, "extension/THIRD_PARTY_NOTICES.txt"), "utf8");
    for (const name of ["@tensorflow/tfjs-core", "onnxruntime-node", "ws", "zod"])
      expect(notices).toMatch(new RegExp(`^${name} \\d`, "m"));
  });

  // The demo takes about a minute on an idle machine.
  it("is smaller than 30 MB, and runs the demo in a VS Code without other extensions", {
    timeout: 900_000,
  }, async () => {
    expect(statSync(vsix).size).toBeLessThan(30e6);
    const code = await startVsCode({ extension: { vsix }, theme: "high contrast" });
    const folder = mkdtempSync(join(scratch, "empty-"));
    const window = await openWindow(code, folder);
    await window.openViews("BTX Studio");
    await window.page.locator(".part.sidebar .welcome-view-content a", { hasText: "create the demo" }).click();
    await window.page.locator(".tab.active", { hasText: "demo.btx.yaml" }).waitFor();
    await window.palette("BTX Studio: Run Experiment");
    const run = await newestRun(experimentFolder(join(folder, "btx-demo")), "done", 800_000);
    await window.rows("done").waitFor();
    await window.palette("BTX Studio: Open Report");
    await window.webview().locator("h1", { hasText: "demo" }).waitFor();
    await window.screenshot("packed");
    expect(run.record.stages.length).toBeGreaterThan(5);
    // The installed extension ran, not this project.
    await until("its backend runs", () => code.server.processesOf(`${code.server.home}/extensions/`).length > 0);
    expect(await window.page.title()).not.toContain("Extension Development Host");
    expect(window.errors).toEqual([]);
  });
});
