import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, onTestFailed } from "vitest";
import type { Start } from "../../../server/protocol/page.ts";
import { Hub } from "../../../server/stream/hub.ts";
import { Pages } from "../../../server/stream/pages.ts";
import { readerProgram } from "../stream/support.ts";

/** The metrics page in a real browser, without VS Code, as `btx serve` shows it. */

export const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);
export const noBrowser = browserPath === undefined;
/** For the name of a suite that needs a browser. */
export const why = browserPath ? "" : " (skipped: no Chromium here; Debian: apt-get install chromium)";

const project = new URL("../../..", import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), "btx-page-"));
const ends: (() => Promise<void>)[] = [];
let browser: Promise<Browser> | undefined;
let built: Promise<unknown> | undefined;

afterAll(async () => {
  for (const end of ends.splice(0)) await end();
  await (await browser)?.close();
  rmSync(scratch, { recursive: true, force: true });
});

/** The page's files, built as `esbuild.mjs` builds them. */
function pageFolder(): Promise<URL> {
  built ??= build({
    absWorkingDir: project,
    entryPoints: {
      metrics: "webview/metrics/main.ts",
      "metrics-style": "webview/metrics/metrics.css",
      theme: "webview/theme.css",
    },
    outdir: scratch,
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2023",
    logLevel: "warning",
  });
  return built.then(() => pathToFileURL(`${scratch}/`));
}

export interface Opened {
  page: Page;
  hub: Hub;
  /** Restarts the backend on the same port. */
  restart(): Promise<void>;
  /** Errors, blocked resources and requests to other hosts. */
  problems: string[];
  /** The charts, in order. */
  chart(index?: number): Locator;
  row(stage: string): Locator;
}

/** Opens the page on runs of these run folders. */
export async function openPage(roots: string[], start: Start, options: BrowserContextOptions = {}): Promise<Opened> {
  const pages = new Pages(await pageFolder(), start);
  const problems: string[] = [];
  const startHub = (port = 0) =>
    Hub.start({
      port,
      roots,
      trusted: () => true,
      reader: readerProgram,
      log: (text) => problems.push(text),
      pages: (self, path, request, response) => pages.answer(self, path, request, response),
    });
  let hub = await startHub();
  ends.push(() => hub.close());
  browser ??= chromium.launch({
    executablePath: browserPath ?? "",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
  });
  const context = await (await browser).newContext({ viewport: { width: 1100, height: 900 }, ...options });
  ends.push(() => context.close());
  const page = await context.newPage();
  page.on("console", (message) => problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (hostname !== "127.0.0.1" && protocol !== "blob:") problems.push(`request to ${request.url()}`);
  });
  // What the page's policy blocks.
  await page.addInitScript(
    "addEventListener('securitypolicyviolation', (e) => console.log('refused: ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample))",
  );
  await page.goto(pages.address(hub.port));
  onTestFailed(async ({ task }) => {
    const path = join(
      project,
      "dist/test/screenshots",
      `failed-${task.name.replaceAll(/[^a-z0-9]+/gi, "-").slice(0, 70)}.png`,
    );
    await page.screenshot({ path, fullPage: true });
    console.log(`screenshot: ${path}\n${problems.join("\n")}`);
  });
  return {
    page,
    hub,
    async restart() {
      const { port } = hub;
      await hub.close();
      hub = await startHub(port);
    },
    problems,
    chart: (index = 0) => page.locator("line-chart .chart-box").nth(index),
    row: (stage) => page.locator("table.legend tbody tr", { has: page.getByText(stage, { exact: true }) }),
  };
}
