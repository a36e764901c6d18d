import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium, type Page } from "playwright-core";
import { stagePaths } from "../server/runs/layout.ts";
import { Hub } from "../server/stream/hub.ts";
import { Pages } from "../server/stream/pages.ts";
import { writeLongMetrics } from "../test/fixtures/longMetrics.ts";
import { writeRun } from "../test/fixtures/runFolder.ts";
import { measuredOn } from "./machine.ts";

/**
 * `npm run bench -- metricsPage [--json FILE]`: the metrics page in Chromium without a graphics card, with a run of seven stages
 * of 10,000 steps and with one stage of ten million: how long until it is drawn, and the pictures a second while one pans,
 * beside those of an empty page in the same browser.
 */

const { values } = parseArgs({ options: { json: { type: "string" }, browser: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "btx-bench-"));
const seconds = 5;
const size = { width: 1280, height: 900 };

const usual = writeRun(folder, { steps: 10_000, id: "20260304-123000", name: "usual" });
const long = writeRun(join(folder, "long"), { id: "20260304-124000", name: "long" });
await writeLongMetrics(stagePaths(long.root, long.keyOf("seed")).metrics);

// It is bundled into dist/bench/.
const dist = new URL("../", import.meta.url);
const browser = await chromium.launch({
  executablePath: values.browser ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});

const processes = await browser.newBrowserCDPSession();
/** Seconds of processor time of the browser's processes so far, by their kind. */
async function used(): Promise<Map<string, number>> {
  const { processInfo } = await processes.send("SystemInfo.getProcessInfo");
  const sums = new Map<string, number>();
  for (const { type, cpuTime } of processInfo.filter(({ type }) => !type.includes(".")))
    sums.set(type, (sums.get(type) ?? 0) + cpuTime);
  return sums;
}

/** Counts pictures from now on, and how long each came after the one before, ms. */
const countFrames = `(() => {
  if (window.gaps_) return;
  window.gaps_ = []; let last = performance.now();
  const count = (time) => { gaps_.push(time - last); last = time; requestAnimationFrame(count); };
  requestAnimationFrame(count);
})()`;

interface Frames {
  perSecond: number;
  /** 95 of 100 pictures come no later after the one before, ms. */
  p95Ms: number;
  /** Processor time of a picture, ms, by kind of process: what other load on the machine does not change. */
  cpuMs: Record<string, number>;
}

async function frames(page: Page, work: () => Promise<unknown>): Promise<Frames> {
  await page.evaluate(countFrames);
  await page.evaluate("gaps_.length = 0");
  const [start, before] = [performance.now(), await used()];
  await work();
  const after = await used();
  const passed = (performance.now() - start) / 1000;
  const gaps = ((await page.evaluate("gaps_")) as number[]).toSorted((a, b) => a - b);
  const cpu = [...after].map(([type, sum]) => [type, round(((sum - (before.get(type) ?? 0)) * 1000) / gaps.length)]);
  return {
    perSecond: round(gaps.length / passed),
    p95Ms: round(gaps[Math.floor(gaps.length * 0.95)] ?? 0),
    cpuMs: Object.fromEntries(cpu),
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;

/** Moves the chart to and fro, a step a picture, as a hand does that holds Alt. */
const pan = `new Promise((done) => {
  const canvas = document.querySelector(".chart-marks");
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const end = performance.now() + ${seconds * 1000};
  let at = 0;
  const move = () => {
    const place = { clientX: left + width * (0.5 + 0.35 * Math.sin(at++ / 40)), clientY: top + height / 2 };
    canvas.dispatchEvent(new PointerEvent("pointermove", { pointerId: 1, bubbles: true, ...place }));
    if (performance.now() < end) requestAnimationFrame(move); else done();
  };
  requestAnimationFrame(move);
})`;

/** The legend has figures: the frame with the lines has come and was drawn. */
const drawn = `document.querySelector("table.legend tbody")?.innerText.includes("nats") ?? false`;

async function measure(run: { root: string; run: string }, stages: string[], smoothing: number) {
  const start = { runs: [{ root: run.root, run: run.run }], roots: [run.root], stages };
  const pages = new Pages(new URL("webview/", dist), start);
  const hub = await Hub.start({
    trusted: () => true,
    reader: new URL("metrics.js", dist),
    roots: [run.root],
    log: (text) => console.error(text),
    pages: (self, path, request, response) => pages.answer(self, path, request, response),
  });
  const page = await browser.newPage({ viewport: size });
  const openMs: number[] = [];
  for (let time = 0; time < 5; time++) {
    await page.goto("about:blank");
    const began = performance.now();
    await page.goto(pages.address(hub.port));
    // The page's policy lets nothing be evaluated in it that waits by itself.
    while (!(await page.evaluate(drawn))) await new Promise((resolve) => setTimeout(resolve, 5));
    openMs.push(Math.round(performance.now() - began));
  }
  await page.getByRole("slider").fill(String(smoothing));
  const chart = page.locator(".chart-box").first();
  await chart.focus();
  // A quarter of all is seen, so there is something on both sides.
  for (let time = 0; time < 3; time++) await page.keyboard.press("+");
  const box = (await chart.boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.keyboard.down("Alt");
  await page.mouse.down();
  const panning = await frames(page, () => page.evaluate(pan));
  await page.mouse.up();
  await page.keyboard.up("Alt");
  await page.close();
  await hub.close();
  return { openMs, panning };
}

const empty = await browser.newPage({ viewport: size });
await empty.goto("about:blank");
const idle = () => frames(empty, () => empty.waitForTimeout(seconds * 1000));
const figures = {
  ...measuredOn,
  emptyPage: await idle(),
  tenMillionSteps: await measure(long, ["seed"], 6),
  sevenStages: await measure(usual, [], 6),
  emptyPageAgain: await idle(),
};
await browser.close();
rmSync(folder, { recursive: true });
console.log(JSON.stringify(figures, null, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
