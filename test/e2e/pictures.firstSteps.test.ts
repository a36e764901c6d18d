import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeProgram } from "../vscode/harness/kit.ts";
import type { Window } from "../vscode/harness/window.ts";
import { long, quick } from "../vscode/workspace.ts";
import { cutOff, given, outside, picture, settings, size, themes } from "./pictures.ts";
import { missing, newestRun, openWindow, scratch, startVsCode, why, workspace } from "./support.ts";

/** In a narrower window, VS Code shows no pictures next to the steps of a walkthrough. */
const wide = { width: 1600, height: 900 };

/** What a new user sees, in every kind of theme: from the empty folder to a comparison of runs. */
describe.skipIf(missing)(`the views of the first steps in pictures${why}`, () => {
  for (const [name, theme] of themes) {
    it(`are legible in a theme that is ${name.replace("-", " ")}`, { timeout: 300_000 }, async () => {
      const code = await startVsCode({ theme, settings });

      const empty = await openWindow(code, mkdtempSync(join(scratch, "empty-")), { size: wide });
      await empty.openViews("BTX Studio");
      const welcome = empty.page.locator(".part.sidebar .welcome-view-content");
      await welcome.getByRole("button", { name: "New Experiment" }).waitFor();
      expect(await welcome.evaluate(cutOff)).toEqual([]);
      await welcome.locator("a", { hasText: "follow the walkthrough" }).click();
      await walk(empty, "Watch its stages");
      await empty.webview().locator("svg text", { hasText: "expert:sums" }).waitFor();
      await still(empty, `walkthrough-${name}`);
      await empty.close();

      const mistaken = workspace({ ...quick, mix: "{router: {k: 2, loadBalence: 0.01}}" });
      const mending = await openWindow(code, mistaken.folder, { size });
      await mending.openFile("tiny.btx.yaml");
      await mending.openViews("BTX Studio");
      await mending.page.locator(".squiggly-error").first().waitFor();
      await mending.page.locator(".view-line", { hasText: "loadBalence" }).click();
      await mending.page.keyboard.press("F8");
      await mending.page.locator(".marker-widget", { hasText: "loadBalence" }).waitFor();
      // Its message is also in the Problems view, which the menu does not cover.
      await mending.page.keyboard.press("Escape");
      await mending.palette("View: Focus Problems");
      await mending.page.locator(".part.panel .monaco-list-row", { hasText: "loadBalence" }).waitFor();
      await mending.palette("View: Focus Active Editor Group");
      await mending.page.keyboard.press("Control+.");
      await mending.page.locator(".action-widget", { hasText: "Change to `loadBalance`" }).waitFor();
      await still(mending, `mistake-${name}`);
      await mending.close();

      const running = workspace(long);
      const watching = await openWindow(code, running.folder, { size });
      await watching.openFile("tiny.btx.yaml");
      await watching.openViews("BTX Studio");
      await watching.palette("BTX Studio: Run Experiment");
      await watching.page.locator(".pane-header", { hasText: "Devices" }).click();
      await widen(watching, 130);
      // The row of the run, and in the Devices view the row of its running stage.
      await watching.rows("running").first().locator(".monaco-tl-twistie").click();
      await watching.rows(/seed.*tokens\/s/).waitFor();
      await watching.rows(/seed.*thread/).waitFor();
      await watching.rows(/% busy/).waitFor();
      expect(await outside(watching)).toEqual([]);
      await still(watching, `devices-${name}`);
      await watching.palette("BTX Studio: Stop Run");
      await newestRun(running, "stopped");
      await watching.close();

      const comparing = await openWindow(code, finished(), { size });
      await comparing.openViews("BTX Studio");
      await comparing.rows("done").first().waitFor();
      await comparing.palette("BTX Studio: Compare Runs");
      const picks = comparing.page.locator(".quick-input-widget .monaco-list-row");
      await picks.first().waitFor();
      for (const pick of await picks.all()) await pick.click();
      await comparing.page.keyboard.press("Enter");
      await comparing.page.locator(".tab.active", { hasText: "Comparison: " }).waitFor();
      const comparison = comparing.webview();
      await comparison.locator("h1").waitFor();
      expect(await comparison.locator("body").evaluate(cutOff)).toEqual([]);
      await still(comparing, `comparison-${name}`);
      expect(comparing.errors).toEqual([]);
      await code.close();
    });
  }
});

/** Takes a picture without hover effects. */
async function still(window: Window, name: string): Promise<void> {
  await window.page.mouse.move(size.width / 2, 4);
  await window.page.locator(".workbench-hover-container").waitFor({ state: "detached" });
  await picture(window, name);
}

/** Makes the side bar wider. */
async function widen(window: Window, by: number): Promise<void> {
  const bar = (await window.page.locator(".part.sidebar").boundingBox())!;
  const [x, y] = [bar.x + bar.width + 2, bar.y + bar.height / 3];
  await window.page.mouse.move(x, y);
  await window.page.mouse.down();
  await window.page.mouse.move(x + by, y, { steps: 5 });
  await window.page.mouse.up();
}

/** Opens a step of the walkthrough. */
async function walk(window: Window, step: string): Promise<void> {
  await window.page.locator(".gettingStartedContainer .category-title", { hasText: "Get started" }).first().waitFor();
  await window.page.locator(".gettingStartedContainer .step-title", { hasText: step }).first().click();
}

let folder: string | undefined;

/** A folder with finished runs of one experiment: the demo's, or quick ones that differ in their random seed. */
function finished(): string {
  if (given !== undefined) return resolve(given);
  if (folder !== undefined) return folder;
  const experiment = workspace(quick);
  for (const seed of ["1", "2"])
    spawnSync(nodeProgram, ["dist/btx.js", "run", experiment.file, "--random-seed", seed], { stdio: "ignore" });
  folder = experiment.folder;
  return folder;
}
