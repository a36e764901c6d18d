import { existsSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { UserError } from "../protocol/errors.ts";
import { runRoot } from "../runs/layout.ts";
import { findRun, type Run } from "../runs/runs.ts";

/** Exit codes of every command; the last lines of `usage` say the same. */
export const exitStatus = { done: 0, failed: 1, usage: 2, stopped: 3 } as const;

/** A command line that cannot be understood, or an experiment file with mistakes. */
export class CommandError extends UserError {}

export const usage = `btx: Branch-Train-MiX, from an experiment file to a Mixture-of-Experts

  btx run FILE [--json] [--cores N] [--random-seed N] [--stage NAME] [--engine NAME] [--device NAME]...
                                         run an experiment file (*.btx.yaml); N replaces its randomSeed, and
                                         --stage runs only that stage (experts, compare: those) and what it needs;
                                         --engine and --device replace its engine and devices
  btx resume [RUN] [--json] [--cores N] [--engine NAME] [--device NAME]... [--take-over] [--yes]
                                         continue a run that was stopped, killed or failed; --take-over takes it from
                                         a process on another machine that is gone, after a question (--yes: without)
  btx stop [RUN]                         stop a run after a checkpoint
  btx status [RUN] [--json]              the stages of a run, as they stand
  btx list [--json]                      all runs
  btx show [RUN] [--json]                the table of a run
  btx compare [RUN...] [--json] [--out FOLDER] [--equal tokens|flops] [--bits]
                                         the models of several runs side by side; all runs if none is named
  btx sample [RUN] [--prompt TEXT] [--model NAME] [--tokens N] [--temperature X] [--top-p X] [--random-seed N]
                                         continue a prompt (or standard input) with a model of a run
  btx verify [RUN] [--json]              read all files of a run and compare them with what was written
  btx serve [RUN] [--port N]             metrics and routing in a browser of this machine, live
  btx check FILE [--json]                check for mistakes without running anything
  btx clean [--dry-run] [--json]         remove the stages that no run uses
  btx devices [--json]                   what this machine can compute on, and why other devices cannot be used
  btx engines [install|remove ENGINE] [--json]
                                         engines that are not a part of btx: cuda, tfjs-node-gpu, tfjs-node
  btx help [COMMAND]                     show this, or the options of one command; btx --version

RUN is a run's id, the beginning of one, or a run's folder; the newest run if left out. Runs are in the folder
.btx beside the experiment file; --in FOLDER says where to look for it (the current folder and those above it).

--json prints one JSON object per line. Ctrl-C stops a run after a checkpoint; pressed twice, at once.
Exit codes: 0 done, 1 failed, 2 mistake in the command or the experiment file, 3 stopped before the end.
`;

/** What `usage` says of one command, of runs where it takes them, and of what all share. */
export function usageOf(command: string): string {
  const [, list, runs, shared] = usage.split("\n\n") as [string, string, string, string];
  const entry = list.split(/\n(?= {2}btx )/).find((lines) => lines.startsWith(`  btx ${command} `));
  const withoutRuns = ["run", "check", "devices", "engines"].includes(command);
  return [entry, ...(withoutRuns ? [] : [runs]), shared].join("\n\n");
}

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Parses a command's arguments. @throws CommandError in words for people. */
export function parse<T extends Options>(args: string[], options: T, most = 1) {
  try {
    const parsed = parseArgs({ args, options, allowPositionals: true });
    if (parsed.positionals.length > most) throw new Error(`unexpected argument "${parsed.positionals[most]}"`);
    return parsed;
  } catch (error) {
    // Node adds a second sentence on arguments that begin with a dash.
    const [first] = (error instanceof Error ? error.message : String(error)).split(". ");
    throw new CommandError(
      `${first!.charAt(0).toLowerCase()}${first!.slice(1)} (\`btx help\` lists commands and options)`,
    );
  }
}

/** A whole number from an option. */
export function wholeNumber(text: string, name: string, least: number): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < least) {
    throw new CommandError(`--${name} takes a whole number of at least ${least}, not "${text}"`);
  }
  return value;
}

/** A number from an option. */
export function numberBetween(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= least && value <= most)) {
    throw new CommandError(`--${name} takes a number from ${least} to ${most}, not "${text}"`);
  }
  return value;
}

/** The folder `.btx` in `folder` or above it. */
export function findRoot(folder: string | undefined): string {
  const start = resolve(folder ?? ".");
  for (let at = start; ; at = dirname(at)) {
    const root = basename(at) === ".btx" ? at : join(at, ".btx");
    if (existsSync(root)) return root;
    if (dirname(at) === at || folder !== undefined) break;
  }
  throw new UserError(`there is no folder .btx in ${start}: use --in FOLDER to say where the experiment file is`);
}

/** The run a person means, and the root it lies in. */
export async function namedRun(
  name: string | undefined,
  folder: string | undefined,
): Promise<{ root: string; run: Run }> {
  if (name !== undefined && existsSync(join(name, "run.json"))) {
    const root = dirname(dirname(resolve(name)));
    return { root, run: await findRun(root, basename(resolve(name))) };
  }
  const root = findRoot(folder);
  return { root, run: await findRun(root, name) };
}

/** The experiment file named on the command line, and the root of its runs. */
export function experimentFile(path: string | undefined): { file: string; root: string } {
  if (path === undefined) throw new CommandError("name an experiment file (*.btx.yaml)");
  const file = resolve(path);
  if (!existsSync(file)) throw new CommandError(`there is no file ${path}`);
  if (!statSync(file).isFile()) throw new CommandError(`${path} is not a file: name an experiment file (*.btx.yaml)`);
  return { file, root: runRoot(file) };
}

/** A file as messages name it: from the current folder, if it lies below; there a terminal and an editor find it. */
export function shownPath(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith("..") || isAbsolute(path) ? basename(file) : path;
}

export const printJson = (value: unknown): boolean => process.stdout.write(`${JSON.stringify(value)}\n`);
