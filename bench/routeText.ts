/// <reference lib="dom" />
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Locator } from "playwright-core";
import { writeExperiment } from "../test/fixtures/experiment.ts";
import { VsCode, whyNoVsCode } from "../test/vscode/harness/vscode.ts";
import type { Window } from "../test/vscode/harness/window.ts";
import { measuredOn } from "./machine.ts";
import { median } from "./measure.ts";

/**
 * `npm run bench -- routeText [--json FILE]`: 1,000 tokens of a text in the colours of their experts, in a real VS Code: from
 * the key that starts Route Selection, or the last letter typed on the tokens page, to the frame that has the colours.
 */

const { values } = parseArgs({ options: { json: { type: "string" } } });
const missing = whyNoVsCode();
if (missing) throw new Error(missing);
const tokens = 1000;
/** Decorations of a text in the editor. */
const painted = '.view-overlays .cdr[class*="ced-"]';
const rounds = 9;
/** The page waits so long for the next letter, ms. */
const pause = 300;

const folder = mkdtempSync(join(tmpdir(), "btx-bench-"));
/** The model of 3.3 M parameters with three experts, its bytes being its tokens; trained for a moment. */
const { file } = writeExperiment(folder, {
  model: "{layers: 4, hidden: 256, heads: 4, kvHeads: 4, ffn: 704, context: 256}",
  seed: "{tokens: 2048}",
  experts: "{tokens: 2048}",
  mix: "{experts: [words, sums, seed], router: {k: 2}}",
  finetune: "{tokens: 2048}",
  evaluate: "{tokens: 256, answers: 0}",
  compare: "[]",
});
const words = ["branch ", "train ", "mix ", "expert ", "1 + 2 = 3. ", "router "];
const text = Array.from({ length: tokens }, (_, at) => words[(at * at) % words.length])
  .join("")
  .replaceAll(/(.{79})/g, "$1\n")
  .slice(0, tokens);
writeFileSync(join(folder, "text.txt"), text);
console.log("training the model for a moment ...");
const ran = spawnSync(process.execPath, ["dist/btx.js", "run", file], { encoding: "utf8" });
if (ran.status !== 0) throw new Error(ran.stdout + ran.stderr);

/** What is waited for: so many elements, or one with this text at its end. */
interface Sight {
  event: "keydown" | "input";
  selector: string;
  text?: string;
}

interface Watched {
  start: number;
  drawn: number;
  longest: number;
}

/** In a page: notes when the next Enter or letter comes, when what it is for is seen, and the longest time without a frame. */
function watch(body: Element, { event, selector, text: ending }: Sight): void {
  const { defaultView: view } = body.ownerDocument;
  const state = { start: 0, drawn: 0, longest: 0 };
  (globalThis as unknown as { watched: Watched }).watched = state;
  let last = 0;
  let there = false;
  const isThere = () => {
    const found = body.querySelectorAll(selector);
    return ending === undefined ? found.length > 10 : found[found.length - 1]?.textContent === ending;
  };
  const frame = (now: number) => {
    if (state.start > 0) {
      state.longest = Math.max(state.longest, now - Math.max(last, state.start));
      // The frame after the one in which it was put there has it.
      if (there) state.drawn = now;
      else there = isThere();
    }
    last = now;
    if (state.drawn === 0) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const begin = (given: Event) => {
    if (event === "keydown" && (given as KeyboardEvent).key !== "Enter") return;
    view!.removeEventListener(event, begin, true);
    state.start = performance.now();
  };
  view!.addEventListener(event, begin, true);
}

async function seen(body: Locator): Promise<Watched & { ms: number }> {
  for (const end = Date.now() + 60_000; Date.now() < end; await setTimeout(50)) {
    const found = await body.evaluate(() => (globalThis as unknown as { watched: Watched }).watched);
    if (found.drawn > 0) return { ...found, ms: found.drawn - found.start };
  }
  throw new Error("nothing is drawn");
}

/** Puts a command under the cursor of the palette. */
async function offer(window: Window, title: string): Promise<void> {
  await window.page.keyboard.press("F1");
  await window.page.locator(".quick-input-widget input").first().fill(`>${title}`);
  await window.page.locator(".quick-input-widget .monaco-list-row.focused", { hasText: title }).waitFor();
}

async function editorRounds(window: Window): Promise<{ ms: number; longest: number }[]> {
  const body = window.page.locator("body");
  await window.openFile("text.txt");
  const found: { ms: number; longest: number }[] = [];
  const clear = async () => {
    await window.palette("BTX Studio: Clear Routing");
    await window.page.locator(painted).first().waitFor({ state: "detached" });
  };
  // The first time the process starts, and compiles.
  await window.palette("BTX Studio: Route Selection");
  await window.page.locator(".quick-input-widget .monaco-list-row", { hasText: "finetune" }).first().click();
  await window.page.locator(painted).nth(10).waitFor({ timeout: 120_000 });
  await clear();
  for (let round = 0; round < rounds; round++) {
    await offer(window, "BTX Studio: Route Selection");
    await body.evaluate(watch, { event: "keydown", selector: painted } as Sight);
    await window.page.keyboard.press("Enter");
    found.push(await seen(body));
    await clear();
  }
  return found;
}

async function pageRounds(window: Window): Promise<{ ms: number; longest: number }[]> {
  await window.palette("BTX Studio: Open Tokens");
  await window.page.locator(".tab.active", { hasText: "tokens" }).waitFor();
  const page = window.webview();
  const [field, body] = [page.getByLabel("Text", { exact: true }), page.locator("body")];
  await field.waitFor();
  const found: { ms: number; longest: number }[] = [];
  for (let round = 0; round <= rounds; round++) {
    await body.evaluate(watch, { event: "input", selector: ".text span[data-token]", text: String(round) } as Sight);
    await field.fill(text.slice(0, -1) + round);
    found.push(await seen(body));
  }
  return found.slice(1);
}

const code = await VsCode.start();
const figures: Record<string, unknown> = {
  ...measuredOn,
  tokens,
};
try {
  const window = await code.open(folder, { size: { width: 1280, height: 800 } });
  const told = (all: { ms: number; longest: number }[], waits = 0) => ({
    medianMs: Math.round(median(all.map(({ ms }) => ms - waits))),
    ms: all.map(({ ms }) => Math.round(ms - waits)),
    longestWithoutFrameMs: Math.round(median(all.map(({ longest }) => longest))),
  });
  figures.editor = told(await editorRounds(window));
  figures.page = told(await pageRounds(window), pause);
} finally {
  await code.close();
  rmSync(folder, { recursive: true });
}
console.log(JSON.stringify(figures, null, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
