import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { UserError } from "../protocol/errors.ts";

/** The programs that fetch packages, run without a shell, and ended with all that they started. */

export interface ProgramOptions {
  cwd: string;
  env?: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

/** Most that is kept of what a program says, characters. */
const mostSaid = 20_000;

/** Runs a program to its end. @throws UserError when there is no such program; the signal's reason when it is aborted. */
export function run(program: string[], { cwd, env, signal }: ProgramOptions): Promise<{ good: boolean; said: string }> {
  signal.throwIfAborted();
  const [command, ...args] = program as [string, ...string[]];
  const inGroup = process.platform !== "win32";
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    // A group of its own: Ctrl-C does not reach it, and its end takes with it what it started.
    detached: inGroup,
    stdio: ["ignore", "pipe", "pipe"],
    windowsHide: true,
  });
  const kill = () => {
    try {
      if (inGroup) process.kill(-child.pid!, "SIGKILL");
      else child.kill();
    } catch {
      // It has ended.
    }
  };
  signal.addEventListener("abort", kill);
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-mostSaid);
    });
  return new Promise<{ good: boolean; said: string }>((resolve, reject) => {
    child.on("error", (error: NodeJS.ErrnoException) => {
      const missing = error.code === "ENOENT" ? `there is no program ${command}` : error.message;
      reject(new UserError(`${missing}: install it, then try again`));
    });
    child.on("close", (code) => {
      if (signal.aborted) reject(signal.reason);
      else resolve({ good: code === 0, said });
    });
  }).finally(() => signal.removeEventListener("abort", kill));
}

/** npm's command line. Windows has a script of its shell for it, which is passed by. */
export function npm(): string[] {
  if (process.platform !== "win32") return ["npm"];
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const script = join(folder, "node_modules", "npm", "bin", "npm-cli.js");
    if (existsSync(script)) return [join(folder, "node.exe"), script];
  }
  throw new UserError("there is no program npm: install Node.js, then try again");
}

/** pip's command line. */
export const pip = (): string[] => [process.platform === "win32" ? "python" : "python3", "-m", "pip"];

/** What a package client's failure means to its user. @param what that could not be fetched */
export function fetchError(said: string, what: string): UserError {
  if (/ENOSPC|No space left on device/i.test(said))
    return new UserError(`the disk is full: ${what} was not installed; free space, then try again`);
  if (/DO NOT MATCH THE HASHES|EINTEGRITY|integrity checksum failed/i.test(said))
    return new UserError(`what was fetched for ${what} is not what was published: its checksum is another; try again`);
  if (/No module named pip/i.test(said))
    return new UserError("Python has no pip: install it (Debian: apt-get install python3-pip), then try again");
  const host = unreachable(said);
  if (host !== undefined)
    return new UserError(`${host || "the server"} cannot be reached, so ${what} was not installed: see to the network`);
  // pip does not tell the two apart.
  if (/from versions: none/.test(said))
    return new UserError(`the index of Python's packages cannot be reached, or has no ${what}: see to the network`);
  const last = said.trim().split("\n").slice(-3).join("; ").slice(-400);
  return new UserError(`${what} could not be fetched: ${last || "no reason was given"}`);
}

/** The host that could not be reached, "" where it is not told; undefined where that was not the reason. */
function unreachable(said: string): string | undefined {
  const named =
    /(?:ENOTFOUND|EAI_AGAIN|getaddrinfo \w+|ECONNREFUSED|ETIMEDOUT|ECONNRESET) ([\w.-]+\.[\w.-]+|localhost|[\d.:]+)/.exec(
      said,
    ) ?? /host=['"]([\w.-]+)['"]/.exec(said);
  if (named) return named[1];
  const silent = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|network|Connection(?:Error| refused| broken)/i;
  return silent.test(said) ? "" : undefined;
}
