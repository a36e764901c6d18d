import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { FrameLocator } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import {
  appendRouting,
  type KnownRouting,
  ownExpert,
  writeEvaluatedRouting,
  writeRouting,
} from "../fixtures/routing.ts";
import { writeRun } from "../fixtures/runFolder.ts";
import type { VsCode } from "../vscode/harness/vscode.ts";
import type { Window } from "../vscode/harness/window.ts";
import { quick } from "../vscode/workspace.ts";
import { missing, openWindow, startVsCode, why, workspace } from "./support.ts";

const known: KnownRouting = {
  layers: [0, 2],
  domains: ["code", "prose", "math"],
  experts: ["code", "prose", "math", "seed"],
  every: 2,
  tokens: 100,
  share: ownExpert,
};

/** A page is reloaded when it is shown again. */
const soon = { timeout: 30_000 };

describe.skipIf(missing)(`the routing page in VS Code${why}`, () => {
  let code: VsCode;
  let window: Window;
  let page: FrameLocator;
  let run: ReturnType<typeof writeRun>;
  const step = () => page.getByText(/^step \d+ of/).first();
  const table = async () =>
    (await page.locator("table.maps tbody tr").allInnerTexts()).map((row) => row.split("\t").map((one) => one.trim()));

  beforeAll(async () => {
    code = await startVsCode();
    const { folder } = workspace(quick);
    run = writeRun(folder, { k: 1, steps: 40 });
    writeFileSync(join(folder, "three-domains.btx.yaml"), "name: three-domains\n");
    writeRouting(run.root, run.keyOf("finetune"), known, 5);
    writeEvaluatedRouting(run.root, run.keyOf("evaluate:finetune"), known);
    window = await openWindow(code, folder);
    await window.openViews("BTX Studio");
  });

  it("opens from the palette and shows a known routing exactly", async () => {
    await window.palette("BTX Studio: Open Routing");
    page = window.webview();
    await page.getByRole("button", { name: "Table" }).click();
    const rows = (domain: string, ...shares: string[]) => ["0", "2"].map((layer) => [domain, layer, ...shares]);
    await expect
      .poll(async () => (await table()).slice(2), soon)
      .toEqual([
        ...rows("code", "100 %", "0 %", "0 %", "0 %"),
        ...rows("prose", "0 %", "100 %", "0 %", "0 %"),
        ...rows("math", "0 %", "0 %", "100 %", "0 %"),
      ]);
    await window.page.locator(".tab", { hasText: "three-domains: routing" }).waitFor();
    await window.screenshot("routing");
  });

  it("stays at the end while snapshots arrive", async () => {
    await expect.poll(() => step().textContent(), soon).toMatch(/^step 10 of/);
    appendRouting(run.root, run.keyOf("finetune"), known, 5);
    appendFileSync(join(run.root, "touched"), "");
    await expect.poll(() => step().textContent(), soon).toMatch(/^step 12 of/);
  });

  it("keeps its state when it is hidden and when the window is reloaded", async () => {
    const title = () => page.locator("h2").first().textContent();
    const button = page.getByRole("button", { name: "Held-out text" });
    // An earlier attempt may have pressed it already.
    if ((await button.getAttribute("aria-pressed")) !== "true") await button.click();
    await expect.poll(title, soon).toContain("held-out text");
    // The page saves its state once nothing changes.
    await setTimeout(300);
    await window.openFile("three-domains.btx.yaml");
    await expect.poll(() => window.page.locator("iframe.webview.ready").count(), soon).toBe(0);
    await window.page.locator(".tab", { hasText: "three-domains: routing" }).click();
    await expect.poll(async () => (await table()).length, soon).toBe(8);
    expect(await title()).toContain("held-out text");
    // In a browser, VS Code saves the state of pages every five seconds.
    await setTimeout(6000);
    await window.reload();
    page = window.webview();
    await expect.poll(async () => (await table()).length, soon).toBe(8);
    expect(await title()).toContain("held-out text");
  });

  it("opens the page of the expert whose cell is clicked", async () => {
    await page.locator(".maps .map-box").first().focus();
    await window.page.keyboard.press("Enter");
    await window.page.locator(".tab.active", { hasText: "code of finetune" }).waitFor();
    const expert = window.webview();
    await expect
      .poll(() => expert.locator(".facts").innerText(), soon)
      .toContain("the feed-forward blocks of expert:code");
    expect(window.errors).toEqual([]);
  });
});
