import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { FrameLocator } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { stagePaths } from "../../server/runs/layout.ts";
import type { ExperimentFolder } from "../fixtures/experiment.ts";
import { writeRun } from "../fixtures/runFolder.ts";
import type { VsCode } from "../vscode/harness/vscode.ts";
import type { Window } from "../vscode/harness/window.ts";
import { long } from "../vscode/workspace.ts";
import { missing, newestRun, openWindow, startVsCode, until, why, workspace } from "./support.ts";

/** The last value in the legend's row of a stage; it changes with every step. */
const lastOf = (page: FrameLocator, stage: string) =>
  page.locator("table.legend tbody tr", { hasText: stage }).first().locator("td").nth(1);

/** How long to wait on a busy machine. */
const soon = { timeout: 30_000 };

describe.skipIf(missing)(`the metrics page in VS Code${why}`, () => {
  let code: VsCode;
  let experiment: ExperimentFolder;
  let window: Window;
  let page: FrameLocator;
  const backend = () => code.server.processesOf("dist/server.js");
  const isThere = () => lastOf(page, "seed").getByText("nats").waitFor({ timeout: 60_000 });
  /** Waits until the page shows later values. */
  const moves = async () => {
    const before = await lastOf(page, "seed").textContent();
    await until("another value", async () => (await lastOf(page, "seed").textContent()) !== before);
  };

  beforeAll(async () => {
    code = await startVsCode();
    experiment = workspace(long);
    writeRun(experiment.folder, { steps: 2000 });
    window = await openWindow(code, experiment.folder);
    await window.openFile("tiny.btx.yaml");
    await window.openViews("BTX Studio");
    await window.palette("BTX Studio: Run Experiment");
    await newestRun(experiment, "running");
  });

  it("opens from the tree and follows the run through its own socket", async () => {
    const sockets: string[] = [];
    window.page.on("websocket", (socket) => sockets.push(socket.url()));
    await window.rows("running").hover();
    await window.rows("running").locator('[aria-label^="Open Metrics"]').click();
    page = window.webview();
    await isThere();
    await moves();
    expect(sockets.some((url) => /^ws:\/\/127\.0\.0\.1:\d+\/stream$/.test(url))).toBe(true);
    await window.page.locator(".tab", { hasText: "tiny: metrics" }).waitFor();
    expect(await page.locator("meta[http-equiv]").getAttribute("content")).not.toMatch(/unsafe|http:/);
    await window.screenshot("metrics-live");
  });

  it("can be used with the keyboard", async () => {
    await page.locator(".chart-box").focus();
    await window.page.keyboard.press("Home");
    await expect
      .poll(() => page.locator("line-chart [role=status]").textContent(), soon)
      .toMatch(/^seed: \S+ nats, mean \S+ nats at step 1$/);
    await window.page.keyboard.press("Shift+PageDown");
    await page.locator("table.legend caption", { hasText: "selected" }).waitFor();
    await window.page.keyboard.press("Escape");
    await page.locator("table.legend caption", { hasText: "selected" }).waitFor({ state: "detached" });
  });

  it("is discarded while it is hidden, and has the same state when it is shown again", async () => {
    await page.getByRole("button", { name: "Gradient norm" }).click();
    await expect.poll(() => page.locator("line-chart").count(), soon).toBe(2);
    await window.page.locator(".tab", { hasText: "tiny.btx.yaml" }).click();
    await expect.poll(() => window.page.locator("iframe.webview.ready").count(), soon).toBe(0);
    await window.page.locator(".tab", { hasText: "tiny: metrics" }).click();
    await isThere();
    expect(await page.locator("line-chart").count()).toBe(2);
    await moves();
  });

  it("is restored with the window", async () => {
    // In a browser, VS Code saves the state of pages every five seconds.
    await setTimeout(6000);
    await window.reload();
    page = window.webview();
    await isThere();
    expect(await page.locator("line-chart").count()).toBe(2);
    await window.page.locator(".tab", { hasText: "tiny: metrics" }).waitFor();
    await moves();
  });

  it("continues when the backend is killed", async () => {
    const [before] = await until("a backend", () => (backend().length === 1 ? backend() : undefined));
    process.kill(before!, "SIGKILL");
    await until("another backend", () => backend().length === 1 && backend()[0] !== before);
    // The page is rewritten for the new port.
    await isThere();
    await moves();
  });

  it("receives data through messages if the socket cannot be reached", async () => {
    let tried = 0;
    await window.page.routeWebSocket(/\/stream$/, (socket) => {
      tried++;
      void socket.close({ code: 1008 });
    });
    await window.reload();
    page = window.webview();
    await isThere();
    await moves();
    expect(tried).toBeGreaterThan(0);
  });

  it("shows ten thousand lines a second while they are written", async () => {
    const run = await newestRun(experiment, "running");
    const { key } = run.record.stages.find(({ name }) => name === "expert:sums")!;
    const { metrics, folder } = stagePaths(experiment.root, key);
    mkdirSync(folder, { recursive: true });
    const line = (step: number) =>
      `{"step":${step},"steps":20000,"tokens":${step * 160},"seconds":${step / 100},"loss":${2 + 1 / step},"gradientNorm":1,"learningRate":0.01,"tokensPerSecond":16000}\n`;
    for (let tenth = 0; tenth < 20; tenth++) {
      appendFileSync(metrics, Array.from({ length: 1000 }, (_, index) => line(tenth * 1000 + index + 1)).join(""));
      await setTimeout(100);
    }
    await until("the last value", async () => (await lastOf(page, "expert sums").textContent()) === "2.00005 nats");
  });

  it("saves its charts where the user chooses", async () => {
    await page.getByRole("button", { name: "Export CSV" }).click();
    const input = window.page.locator(".quick-input-widget input").first();
    await input.waitFor();
    await expect.poll(() => input.inputValue(), soon).toContain("tiny-metrics.csv");
    await window.page.locator(".quick-input-widget .monaco-button", { hasText: /OK|Save/ }).click();
    await page.getByText("Saved tiny-metrics.csv").waitFor();
    expect(readFileSync(join(experiment.folder, "tiny-metrics.csv"), "utf8")).toMatch(
      /^run,stage,step,tokens,seconds,flops,loss_nats_per_token,learning_rate,.*memory_bytes\r\n\d{8}-\d{6},seed,1,/,
    );
  });

  it("shows a second run, and changes its theme at once", async () => {
    await page.getByRole("button", { name: "Runs…" }).click();
    await page.getByRole("checkbox", { name: "three-domains" }).check();
    await page.getByRole("checkbox", { name: "tiny" }).uncheck();
    await page.getByRole("button", { name: "Done" }).click();
    await lastOf(page, "finetune").getByText("nats").waitFor();
    const looks = [
      ["Dark Modern", "dark", /vscode-dark/],
      ["Light Modern", "light", /vscode-light/],
      ["Dark High Contrast", "high-contrast", /vscode-high-contrast/],
      ["Light High Contrast", "high-contrast-light", /vscode-high-contrast-light/],
    ] as const;
    const drawn = new Set<string>();
    for (const [theme, name, marked] of looks) {
      await window.palette("Preferences: Color Theme");
      const input = window.page.locator(".quick-input-widget input").first();
      await input.waitFor();
      await input.fill(theme);
      await window.page.locator(".quick-input-widget .monaco-list-row", { hasText: theme }).first().click();
      await expect.poll(() => page.locator("body").getAttribute("class"), { timeout: 20_000 }).toMatch(marked);
      // The seed's current colour in the picture.
      await setTimeout(300);
      drawn.add((await page.locator(".swatch line").first().getAttribute("stroke"))!);
      await window.screenshot(`metrics-${name}`);
    }
    expect(drawn.size).toBe(2);
  });

  it("logs no errors and makes no network requests, and the run continues", async () => {
    expect(window.errors).toEqual([]);
    expect(window.outside).toEqual([]);
    await window.palette("BTX Studio: Stop Run");
    await newestRun(experiment, "stopped");
  });
});
