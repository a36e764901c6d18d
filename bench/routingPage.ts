import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { RoutingIndex } from "../server/protocol/routingFiles.ts";
import { stagePaths } from "../server/runs/layout.ts";
import { Hub } from "../server/stream/hub.ts";
import { Pages } from "../server/stream/pages.ts";
import { writeRun } from "../test/fixtures/runFolder.ts";
import { ChromiumPage } from "./chromium.ts";
import { measuredOn } from "./machine.ts";

/**
 * `npm run bench -- routingPage [--json FILE]`: the routing page of a large model in Chromium without a graphics card: how long
 * until its maps are drawn, and how many snapshots a second it goes through.
 */

const { values } = parseArgs({ options: { json: { type: "string" }, browser: { type: "string" } } });
const [L, E, D, snapshots] = [64, 128, 16, 500];
const folder = mkdtempSync(join(tmpdir(), "btx-bench-"));
const names = (count: number, name: string) => Array.from({ length: count }, (_, at) => `${name}${at}`);

/** A run whose finetuning has recorded so many snapshots of about 1.6 MB. */
function writeLarge(): { root: string; run: string } {
  const { root, run, keyOf } = writeRun(folder, { steps: 2 * snapshots });
  const paths = stagePaths(root, keyOf("finetune"));
  const index: RoutingIndex = {
    version: 1,
    statistics: ["routedTokens", "gateMass", "probability"],
    layerStatistics: ["tokens", "entropy"],
    layers: Array.from({ length: L }, (_, layer) => layer),
    domains: names(D, "domain"),
    experts: names(E, "expert"),
    every: 1,
  };
  mkdirSync(paths.folder, { recursive: true });
  writeFileSync(paths.routingIndex, JSON.stringify(index));
  const size = L * D * (3 * E + 2);
  const base = Float32Array.from({ length: size }, (_, at) => 50 + 40 * Math.sin(at * 12.9898) * Math.cos(at * 0.37));
  const file = openSync(paths.routing, "w");
  for (let snapshot = 0; snapshot < snapshots; snapshot++) {
    const record = base.map((value, at) => value * (1 + 0.5 * Math.sin(snapshot / 25 + (at % E))));
    writeSync(file, new Uint8Array(record.buffer));
  }
  closeSync(file);
  return { root, run };
}

const { root, run } = writeLarge();
// It is bundled into dist/bench/.
const dist = new URL("../", import.meta.url);
const pages = new Pages(new URL("webview/", dist), { runs: [{ root, run }] });
const hub = await Hub.start({
  trusted: () => true,
  reader: new URL("metrics.js", dist),
  roots: [root],
  log: (text) => console.error(text),
  pages: (self, path, request, response) => pages.answer(self, path, request, response),
});
const page = await ChromiumPage.open(values.browser ?? "/usr/bin/chromium", { width: 1280, height: 900 });

/** All maps are there, and the first has colours. */
const drawn = `(() => {
  const canvas = document.querySelector(".maps heat-map canvas");
  const there = document.querySelectorAll(".maps heat-map").length === ${D + 1} && canvas && canvas.width > 300;
  return Boolean(there && canvas.getContext("2d").getImageData(60, 60, 1, 1).data[3] === 255);
})()`;
const opened: number[] = [];
const address = new URL(pages.address(hub.port));
address.pathname = "/routing";
for (let time = 0; time < 3; time++) {
  await page.goto("about:blank");
  const start = performance.now();
  await page.goto(address.href);
  await page.until(drawn);
  opened.push(performance.now() - start);
}

// Snapshots that are shown in some seconds of play, and the frames that were painted meanwhile.
await page.evaluate(`(() => {
  window.frames_ = 0; window.shown_ = new Set();
  const count = () => { frames_++; shown_.add(document.querySelector("input.steps").value); requestAnimationFrame(count); };
  requestAnimationFrame(count);
})()`);
const seconds = 5;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
await page.evaluate(
  `[...document.querySelectorAll("vscode-button")].find((one) => one.textContent.trim() === "Play").click()`,
);
await pause(1000);
await page.evaluate("frames_ = 0; shown_.clear()");
await pause(seconds * 1000);
const [frames, shown] = (await page.evaluate("[frames_, shown_.size]")) as [number, number];
await page.close();
await hub.close();
rmSync(folder, { recursive: true });

const figures = {
  ...measuredOn,
  size: { layers: L, experts: E, domains: D, snapshots },
  openMs: opened.map(Math.round),
  snapshotsPerSecond: shown / seconds,
  framesPerSecond: frames / seconds,
};
console.log(JSON.stringify(figures, null, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
