import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { writeExperiment } from "../test/fixtures/experiment.ts";
import { VsCode, whyNoVsCode } from "../test/vscode/harness/vscode.ts";
import { measuredOn } from "./machine.ts";

/** `npm run bench -- activation [--json FILE]`: how long the extension takes to activate, as VS Code measures it, ms. */

const { values } = parseArgs({ options: { json: { type: "string" } } });
const missing = whyNoVsCode();
if (missing) throw new Error(missing);
const windows = 7;

const folder = mkdtempSync(join(tmpdir(), "btx-bench-"));
writeExperiment(folder, {});
const code = await VsCode.start();
const measured: number[] = [];
try {
  const window = await code.open(folder);
  for (let opened = 0; opened < windows; opened++) {
    if (opened > 0) await window.reload();
    // What starts with a window has come to rest.
    await setTimeout(3000);
    await window.palette("Developer: Show Running Extensions");
    const row = window.page.locator(".runtime-extensions-editor .monaco-list-row", { hasText: /btx.studio/i });
    await row.filter({ hasText: /Activation: \d+ms/ }).waitFor();
    measured.push(Number(/Activation: (\d+)ms/.exec((await row.textContent()) ?? "")?.[1]));
  }
} finally {
  await code.close();
  rmSync(folder, { recursive: true, force: true });
}
const figures = {
  ...measuredOn,
  activationMs: measured,
};
console.log(JSON.stringify(figures, null, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
