import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, afterEach } from "vitest";
import { listRuns, type Run } from "../../server/runs/runs.ts";
import { type ExperimentFolder, type Sections, writeExperiment } from "../fixtures/experiment.ts";
import { type OpenOptions, VsCode, type VsCodeOptions, whyNoVsCode } from "../vscode/harness/vscode.ts";
import type { Window } from "../vscode/harness/window.ts";

/** Shared code of the suites that drive windows. */

export const missing = whyNoVsCode();
/** For the names of suites. */
export const why = missing ? ` (skipped: ${missing})` : "";

/** Removed after the file's last test. */
export const scratch = mkdtempSync(join(tmpdir(), "btx-e2e-"));
const started: VsCode[] = [];
const opened: Window[] = [];

/** A failed test leaves screenshots of its windows and prints the extension's output. */
afterEach(async ({ task }) => {
  if (task.result?.state !== "fail") return;
  const name = `failed ${task.name}`.replaceAll(/[^a-z0-9]+/gi, "-").slice(0, 60);
  for (const [index, window] of opened.entries()) {
    if (!window.page.isClosed()) console.log(`screenshot: ${await window.screenshot(`${name}-${index}`)}`);
  }
  for (const code of started) console.log(code.server.extensionLog().slice(-4000));
});
afterAll(async () => {
  await Promise.all(started.map((code) => code.close()));
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
});

/** A VS Code that is closed after the file's last test. */
export async function startVsCode(options: VsCodeOptions = {}): Promise<VsCode> {
  const code = await VsCode.start(options);
  started.push(code);
  return code;
}

/** A workspace folder with one experiment in it. */
export const workspace = (sections: Sections): ExperimentFolder =>
  writeExperiment(mkdtempSync(join(scratch, "workspace-")), sections);

/** Opens a window on a folder. */
export async function openWindow(code: VsCode, folder: string, options?: OpenOptions): Promise<Window> {
  const window = await code.open(folder, options);
  opened.push(window);
  return window;
}

/** Polls until `look` returns something. */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  ms = 30_000,
): Promise<T> {
  for (const end = Date.now() + ms; Date.now() < end; await setTimeout(50)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(`after ${ms} ms still not: ${what}`);
}

/** Waits until the newest run of a folder has a state, and returns the run. */
export function newestRun({ root }: ExperimentFolder, state: Run["state"], ms?: number): Promise<Run> {
  const look = async () => {
    const newest = (await listRuns(root)).at(-1);
    return newest && "run" in newest && newest.run.state === state ? newest.run : undefined;
  };
  return until(`a run is ${state}`, look, ms);
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
