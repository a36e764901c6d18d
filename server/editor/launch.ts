import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openToAppend } from "../disk/append.ts";
import { readPiece } from "../disk/open.ts";
import { UserError } from "../protocol/errors.ts";
import { createRoot, runPaths } from "../runs/layout.ts";

/**
 * Starts the command `btx` so that it outlives its parent: in its own session, with its output in a file. The two share
 * only the run folder.
 */

/** The command next to this program, in the same build. */
const program = fileURLToPath(new URL("./btx.js", import.meta.url));

/** How often a new process's log is polled until its run is known, ms. */
const tick = 50;

/** The line with which `btx run` and `btx resume` begin their work on a run. */
const beginning = /^Run (\S+), \d+ stages?, .*\n/m;

/** The most of a new process's output that is looked through for that line, bytes. */
const mostOutput = 1 << 20;

/** The human-readable log of a run's runner. */
export const runnerLog = (root: string, run: string): string => join(runPaths(root, run).folder, "log.txt");

/**
 * Starts `btx run FILE` and returns the id of its run.
 *
 * @throws UserError with the command's output if it exits without creating a run.
 */
export async function launchRun(root: string, file: string, options: string[]): Promise<string> {
  await createRoot(root);
  const log = join(root, `starting-${process.pid}-${Math.floor(Math.random() * 1e9)}.log`);
  try {
    const run = await began(startDetached(["run", file, ...options], dirname(file), log), log, 0);
    await rename(log, runnerLog(root, run));
    return run;
  } catch (error) {
    await rm(log, { force: true });
    throw error;
  }
}

/** Starts `btx resume` and returns once it is working on the run. @throws UserError with the command's output. */
export async function launchResume(root: string, run: string, options: string[]): Promise<void> {
  const log = runnerLog(root, run);
  const from = await stat(log).then(
    ({ size }) => size,
    () => 0,
  );
  await began(startDetached(["resume", runPaths(root, run).folder, ...options], dirname(root), log), log, from);
}

/** Starts `btx` with the Node.js or VS Code executable that runs this process. No shell sees the arguments. */
function startDetached(args: string[], cwd: string, log: string): ChildProcess {
  const output = openToAppend(log);
  try {
    const child = spawn(process.execPath, [program, ...args], {
      cwd,
      env: environment(process.env),
      stdio: ["ignore", output, output],
      detached: true,
      windowsHide: true,
    });
    child.unref();
    return child;
  } finally {
    closeSync(output);
  }
}

/** The environment without variables that an editor or debugger sets for its own children. */
export function environment(inherited: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const theirs = /^(VSCODE_.*|NODE_OPTIONS|NODE_CHANNEL_.*|FORCE_COLOR)$/;
  const kept = Object.entries(inherited).filter(([name]) => !theirs.test(name));
  const asNode = process.versions.electron ? { ELECTRON_RUN_AS_NODE: "1" } : {};
  return { ...Object.fromEntries(kept), ...asNode, NO_COLOR: "1" };
}

/** Waits until the process logs which run it works on. @param from offset in the log of its output, bytes. */
async function began(child: ChildProcess, log: string, from: number): Promise<string> {
  let end: string | undefined;
  child.once("error", (error) => {
    end = `its process could not be started, ${error.message}`;
  });
  child.once("exit", (code, signal) => {
    end = `its process ended with ${signal ?? `code ${code}`}`;
  });
  for (;;) {
    // Once the process has exited, this read sees its complete output.
    const ended = end;
    const output = (await readPiece(log, from, mostOutput)).toString("utf8");
    const run = beginning.exec(output)?.[1];
    if (run !== undefined) return run;
    if (ended !== undefined) throw new UserError(shortened(output) || `the run did not start: ${ended}`);
    await setTimeout(tick);
  }
}

/** The first lines of the command's output, without its name. */
function shortened(output: string): string {
  const lines = output.trim().split("\n");
  const more = lines.length > 4 ? [`and ${lines.length - 4} more`] : [];
  return [...lines.slice(0, 4).map((line) => line.replace(/^btx: /, "")), ...more].join("\n");
}
