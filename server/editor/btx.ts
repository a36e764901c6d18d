import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { UserError } from "../protocol/errors.ts";
import { environment } from "./launch.ts";

/** Runs `btx` as a child process that ends with this one; its output is the answer. */

const program = fileURLToPath(new URL("./btx.js", import.meta.url));

/** Maximum length of the error text kept, characters. */
const maxOutput = 4000;
/** Time a process has to clean up after it is asked to end, ms. */
const patience = 3000;

export interface BtxOptions {
  /** Standard input; default: none. */
  input?: string;
  /** Ends the process, which gets a moment to clean up. */
  signal?: AbortSignal;
  /** Called with each chunk of output. */
  onOutput(text: string): void;
}

/**
 * Runs `btx` to its end. No shell sees the arguments.
 *
 * @throws UserError with the command's output if it fails.
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
  let output = "";
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
    output = (output + text).slice(-maxOutput);
  });
  // It may exit before reading all its input.
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
            new UserError(output.trim().replace(/^btx: /, "") || `the command ended with ${ended ?? `code ${code}`}`),
          );
      });
    });
  } finally {
    signal?.removeEventListener("abort", kill);
    clearTimeout(last);
  }
}

/** Runs `btx` and returns the objects it prints with `--json`. @throws UserError with the command's output. */
export async function btxJson(args: readonly string[], signal?: AbortSignal): Promise<unknown[]> {
  const objects: unknown[] = [];
  const onOutput = jsonLines((object) => objects.push(object));
  await btx([...args, "--json"], { onOutput, ...(signal ? { signal } : {}) });
  return objects;
}

/** Takes text in chunks and passes on the object of each complete line. */
export function jsonLines(onObject: (object: unknown) => void): (text: string) => void {
  let rest = "";
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line.trim() !== "") onObject(JSON.parse(line));
  };
}
