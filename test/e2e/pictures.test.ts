import { spawnSync } from "node:child_process";
import { basename, join, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { listRuns } from "../../server/runs/runs.ts";
import { quick } from "../vscode/workspace.ts";
import { cutOff, expandRun, given, openFromPalette, outside, picture, settings, size, themes } from "./pictures.ts";
import { missing, startVsCode, why, workspace } from "./support.ts";

/**
 * Every view in every kind of theme. `node run.mjs pictures` takes pictures of the demo's run and saves them in
 * docs/images/; the tests take them of a quick run and check that nothing is cut off and nothing leaves its window.
 */

const sampleText =
  "export function add(a: number, b: number): number {\n  return a + b;\n}\n\nThe library reads its settings from a file.\nAda has 3 apples and buys 4 more: 3 + 4 = 7 apples.\n";

describe.skipIf(missing)(`the views in pictures${why}`, () => {
  let folder: string;
  let file: string;

  beforeAll(async () => {
    const experiment = given === undefined ? workspace(quick) : undefined;
    folder = experiment?.folder ?? resolve(given!);
    file = experiment ? basename(experiment.file) : "demo.btx.yaml";
    if (experiment) spawnSync(process.execPath, ["dist/btx.js", "run", experiment.file], { stdio: "ignore" });
    const runs = await listRuns(join(folder, ".btx"));
    expect(runs.some((entry) => "run" in entry && entry.run.state === "done")).toBe(true);
  });

  for (const [name, theme] of themes) {
    it(`are legible in a theme that is ${name.replace("-", " ")}`, async () => {
      const code = await startVsCode({ theme, settings });
      const window = await code.open(folder, { size });
      const take = (view: string) => picture(window, `${view}-${name}`);

      await window.openFile(file);
      await window.openViews("BTX Studio");
      await expandRun(window, file);
      await window.page.locator(".codelens-decoration", { hasText: "Open metrics" }).first().waitFor();
      expect(await outside(window)).toEqual([]);
      await take("editor");

      await openFromPalette(window, "BTX Studio: Open Metrics", ": metrics");
      const metrics = window.webview();
      await metrics.locator("table.legend tbody tr").first().getByText("nats").first().waitFor();
      expect(await metrics.locator("body").evaluate(cutOff)).toEqual([]);
      await take("metrics");

      await openFromPalette(window, "BTX Studio: Open Routing", ": routing");
      const routing = window.webview();
      await routing.locator(".maps heat-map canvas").first().waitFor();
      await routing.locator("table.layers tbody tr").first().waitFor();
      expect(await routing.locator("body").evaluate(cutOff)).toEqual([]);
      await take("routing");

      await routing.locator(".maps .map-box").first().focus();
      await window.page.keyboard.press("Enter");
      await window.page.locator(".tab.active", { hasText: "of finetune" }).waitFor();
      const expert = window.webview();
      await expert.locator("table.particular tbody tr").first().waitFor({ timeout: 60_000 });
      expect(await expert.locator("body").evaluate(cutOff)).toEqual([]);
      await take("expert");

      await openFromPalette(window, "BTX Studio: Open Tokens", ": tokens");
      const tokens = window.webview();
      await tokens.getByLabel("Text", { exact: true }).fill(sampleText);
      await tokens.locator(".text span[data-token]").first().waitFor({ timeout: 60_000 });
      await tokens.locator(".text span[data-token]").nth(3).hover();
      expect(await tokens.locator("body").evaluate(cutOff)).toEqual([]);
      await take("tokens");

      await window.palette("File: New Untitled Text File");
      await window.page.locator(".tab.active", { hasText: "Untitled" }).waitFor({ timeout: 8000 });
      await window.page.keyboard.insertText(sampleText);
      await window.page.locator(".view-line", { hasText: "export" }).waitFor({ timeout: 8000 });
      await window.palette("BTX Studio: Route Selection");
      await window.page.locator(".statusbar-item", { hasText: "all layers" }).waitFor({ timeout: 60_000 });
      await window.notifications().first().waitFor({ state: "detached" });
      await take("decorations");

      await openFromPalette(window, "BTX Studio: Open Report", ": report");
      const report = window.webview();
      await report.locator("h1").first().waitFor();
      expect(await report.locator("body").evaluate(cutOff)).toEqual([]);
      await take("report");

      await code.close();
    });
  }
});
