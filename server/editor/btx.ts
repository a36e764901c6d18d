import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { UserError } from "../protocol/errors.ts";
import { environment } from "./launch.ts";

/** The command `btx` as a process that ends with this one: what it prints is the answer. */

const program = fileURLToPath(new URL("./btx.js", import.meta.url));

/** Most of what is kept of an error's text, characters. */
const mostSaid = 4000;
/** How long a process that is to end may take to clean up, ms. */
const patience = 3000;

export interface BtxOptions {
  /** Standard input; none if left out. */
  input?: string;
  /** Ends the process, which may clean up for a moment. */
  signal?: AbortSignal;
  /** Is given what it prints, piece by piece. */
  onOutput(text: string): void;
}

/**
 * Runs `btx` to its end. No shell sees the arguments.
 *
 * @throws UserError with what the command said, when it fails.
 */
export async function btx(args: readonly string[], { input, signal, onOutput }: BtxOptions): Promise<void> {
  if (signal?.aborted) return;
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(process.execPath, [program, ...args], {
    env: environment(process.env),
    stdio: ["pipe", "pipe", "pipe"],
    windowsHide: true,
  });
  let last: NodeJS.Timeout | undefined;
  const kill = (): void => {
    child.kill("SIGTERM");
    last ??= setTimeout(() => child.kill("SIGKILL"), patience);
  };
  signal?.addEventListener("abort", kill);
  let said = "";
  /** What `onOutput` threw. */
  let refused: unknown;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (signal?.aborted) return;
    try {
      onOutput(text);
    } catch (error) {
      refused ??= error;
      kill();
    }
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-mostSaid);
  });
  // It may end before it has read all.
  child.stdin.on("error", () => {});
  child.stdin.end(input ?? "");
  try {
    await new Promise<void>((resolve, reject) => {
      child.once("error", (error) => reject(new UserError(`the command could not be started: ${error.message}`)));
      child.once("close", (code, ended) => {
        if (refused !== undefined) reject(refused);
        else if (code === 0 || signal?.aborted) resolve();
        else
          reject(
            new UserError(said.trim().replace(/^btx: /, "") || `the command ended with ${ended ?? `code ${code}`}`),
          );
      });
    });
  } finally {
    signal?.removeEventListener("abort", kill);
    clearTimeout(last);
  }
}

/** Runs `btx` and gives the objects it prints with `--json`. @throws UserError with what the command said. */
export async function btxJson(args: readonly string[], signal?: AbortSignal): Promise<unknown[]> {
  const objects: unknown[] = [];
  const onOutput = jsonLines((object) => objects.push(object));
  await btx([...args, "--json"], { onOutput, ...(signal ? { signal } : {}) });
  return objects;
}

/** Takes text in pieces and gives the object of each whole line. */
export function jsonLines(onObject: (object: unknown) => void): (text: string) => void {
  let rest = "";
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line.trim() !== "") onObject(JSON.parse(line));
  };
}
