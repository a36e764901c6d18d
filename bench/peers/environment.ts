import { type SpawnSyncOptions, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../server/protocol/errors.ts";

/** The user's folder for what can be fetched again. */
function cacheFolder(): string {
  if (process.platform === "darwin") return join(homedir(), "Library/Caches");
  if (process.platform === "win32") return process.env.LOCALAPPDATA ?? join(homedir(), "AppData/Local");
  return process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
}

const NEEDED = "install Python 3.10 or later with its venv module (Debian: apt-get install python3 python3-venv)";

function succeeds(program: string, args: string[], options: SpawnSyncOptions = { stdio: "ignore" }): boolean {
  return spawnSync(program, args, options).status === 0;
}

/**
 * The Python of a virtual environment with what `requirements` lists, apart from the project: made where it is not there,
 * and anew where the list has changed.
 *
 * @throws UserError that says what to install where Python or the packages cannot be had.
 */
export function peersPython(requirements: string): string {
  const folder = join(cacheFolder(), "btx-studio/peers");
  const [bin, system] = process.platform === "win32" ? ["Scripts/python.exe", "python"] : ["bin/python", "python3"];
  const python = join(folder, bin);
  const installed = join(folder, "installed.txt");
  const wanted = readFileSync(requirements, "utf8");
  if (existsSync(installed) && readFileSync(installed, "utf8") === wanted) return python;

  if (!succeeds(system, ["-c", "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))"]))
    throw new UserError(`the peers run in Python: ${NEEDED}`);
  console.log(`installing PyTorch and JAX into ${folder}: once, minutes, about 6 GB where PyTorch comes with CUDA`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (!succeeds(system, ["-m", "venv", folder], { stdio: "inherit" }))
    throw new UserError(`${system} cannot make a virtual environment in ${folder}: ${NEEDED}`);
  const install = ["-m", "pip", "install", "--quiet", "--requirement", requirements];
  if (!succeeds(python, install, { stdio: "inherit" }))
    throw new UserError(`pip could not install the packages of ${requirements} into ${folder}, as told above`);
  writeFileSync(installed, wanted);
  return python;
}
