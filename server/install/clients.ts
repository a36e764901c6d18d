import { spawn } from "node:child_process";
import { UserError } from "../protocol/errors.ts";

/** The package clients npm and pip, run without a shell, and ended together with the processes they started. */

export interface ProgramOptions {
  cwd: string;
  env?: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

/** How much of a program's output is kept, characters. */
const maxOutput = 20_000;

/** Runs a program to its end. @throws UserError if the program is missing; the signal's reason when it is aborted */
export function run(
  program: string[],
  { cwd, env, signal }: ProgramOptions,
): Promise<{ good: boolean; output: string }> {
  signal.throwIfAborted();
  const [command, ...args] = program as [string, ...string[]];
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    // A process group of its own: Ctrl-C does not reach it, and the whole group can be killed.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const kill = () => {
    try {
      process.kill(-child.pid!, "SIGKILL");
    } catch {
      // It has ended.
    }
  };
  signal.addEventListener("abort", kill);
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-maxOutput);
    });
  return new Promise<{ good: boolean; output: string }>((resolve, reject) => {
    child.on("error", (error: NodeJS.ErrnoException) => {
      const missing = error.code === "ENOENT" ? `the program ${command} was not found` : error.message;
      reject(new UserError(`${missing}: install it, then try again`));
    });
    child.on("close", (code) => {
      if (signal.aborted) reject(signal.reason);
      else resolve({ good: code === 0, output });
    });
  }).finally(() => signal.removeEventListener("abort", kill));
}

/** The command lines of the clients: packages are available for Linux only. */
export const npm = ["npm"];
export const pip = ["python3", "-m", "pip"];

/** What a package client's failure means to the user. @param what could not be downloaded */
export function fetchError(output: string, what: string): UserError {
  if (/ENOSPC|No space left on device/i.test(output))
    return new UserError(`the disk is full: ${what} was not installed; free space, then try again`);
  if (/DO NOT MATCH THE HASHES|EINTEGRITY|integrity checksum failed/i.test(output))
    return new UserError(`what was downloaded for ${what} has the wrong checksum: try again`);
  if (/No module named pip/i.test(output))
    return new UserError("Python has no pip: install it (Debian: apt-get install python3-pip), then try again");
  const host = unreachable(output);
  if (host !== undefined)
    return new UserError(
      `${host || "the server"} cannot be reached, so ${what} was not installed: check the network connection`,
    );
  // pip does not distinguish the two.
  if (/from versions: none/.test(output))
    return new UserError(`the Python package index cannot be reached, or has no ${what}: check the network connection`);
  const last = output.trim().split("\n").slice(-3).join("; ").slice(-400);
  return new UserError(`${what} could not be downloaded: ${last || "no reason was given"}`);
}

/** The host that could not be reached, "" if the output does not name it; undefined if that was not the reason. */
function unreachable(output: string): string | undefined {
  const named =
    /(?:ENOTFOUND|EAI_AGAIN|getaddrinfo \w+|ECONNREFUSED|ETIMEDOUT|ECONNRESET) ([\w.-]+\.[\w.-]+|localhost|[\d.:]+)/.exec(
      output,
    ) ?? /host=['"]([\w.-]+)['"]/.exec(output);
  if (named) return named[1];
  const silent = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|network|Connection(?:Error| refused| broken)/i;
  return silent.test(output) ? "" : undefined;
}
