import { existsSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { setTimeout } from "node:timers/promises";
import { didYouMean, nearestName } from "../data/nearestName.ts";
import type { Choice } from "../devices/choose.ts";
import { localExecutor, localPlace } from "../execution/local.ts";
import { runStages } from "../execution/runner.ts";
import { planExperiment } from "../experiment/plan.ts";
import { problemText } from "../experiment/problem.ts";
import type { RunEvent, RunRecord } from "../protocol/run.ts";
import type { Plan } from "../protocol/stage.ts";
import { sectionOf } from "../protocol/stageKinds.ts";
import { lineage } from "../runs/cost.ts";
import { runPaths } from "../runs/layout.ts";
import { isElsewhere, lockHolder } from "../runs/lock.ts";
import { createRun, type Run } from "../runs/runs.ts";
import { stopRun } from "../runs/stop.ts";
import { summarizeRun } from "../runs/summary.ts";
import { wantsColor } from "../terminal/ansi.ts";
import { comparisonTable } from "../terminal/comparisonTable.ts";
import { createProgress } from "../terminal/progress.ts";
import { readExperiment } from "./check.ts";
import {
  CommandError,
  exitStatus,
  experimentFile,
  namedRun,
  parse,
  printJson,
  shownPath,
  wholeNumber,
} from "./command.ts";
import { chosenDevices, memoryOf, requestedCompute } from "./compute.ts";

const runOptions = {
  json: { type: "boolean" },
  cores: { type: "string" },
  engine: { type: "string" },
  device: { type: "string", multiple: true },
} as const;

/**
 * `btx run FILE`. `--random-seed` overrides the file's `randomSeed` and is recorded in `run.json`; `--stage` limits the
 * run to a stage and what it needs.
 */
export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    ...runOptions,
    "random-seed": { type: "string" },
    stage: { type: "string" },
  });
  const options = executionOptions(values);
  const seed = values["random-seed"];
  const replaced = seed === undefined ? {} : { randomSeed: wholeNumber(seed, "random-seed", 0) };
  const { file, root } = experimentFile(positionals[0]);
  let choice: Choice | undefined;
  const { text, experiment, problems } = await readExperiment(file, async (read) => {
    choice = await chosenDevices(requestedCompute(values, read.compute));
    return memoryOf(choice);
  });
  for (const problem of problems) process.stderr.write(`${problemText(problem, shownPath(file))}\n`);
  if (!experiment) throw new CommandError(`${shownPath(file)} has mistakes, see above: nothing was run`);
  const plan = await planExperiment({ ...experiment, ...replaced }, file);
  const stages = values.stage === undefined ? plan : upTo(plan, values.stage);
  const compute = requestedCompute(values, experiment.compute);
  const fields = { name: experiment.name, file, experiment: text, ...replaced, compute, stages, reused: [] };
  const made = await createRun(root, fields);
  return executeRun(root, made.record.id, { ...options, choice: choice!, fresh: true });
}

/** Sections that describe several stages, and whether a stage, by its name, is one of them. */
const sections: Readonly<Record<string, (name: string) => boolean>> = {
  experts: (name) => sectionOf(name) === "experts",
  compare: (name) => sectionOf(name.replace(/^evaluate:/, "")) === "compare",
};

/** The stage or section `name` and the stages that it needs. @throws CommandError if there is no such stage */
function upTo(plan: Plan, name: string): Plan {
  const names = plan.map((stage) => stage.name);
  const wanted = Object.hasOwn(sections, name) ? names.filter(sections[name]!) : [name];
  const needed = new Set(wanted.flatMap((stage) => lineage(stage, plan)));
  if (needed.size > 0) return plan.filter((stage) => needed.has(stage));
  const hint = didYouMean(nearestName(name, names)) || `: it has ${names.join(", ")}`;
  throw new CommandError(`the experiment has no stage "${name}"${hint}`);
}

/** `btx resume [RUN]` */
export async function resume(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    ...runOptions,
    in: { type: "string" },
    "take-over": { type: "boolean" },
    yes: { type: "boolean" },
  });
  const options = executionOptions(values);
  const { root, run: found } = await namedRun(positionals[0], values.in);
  const takeOver = values["take-over"] === true;
  if (takeOver && !(await mayTakeOver(found, values.yes === true))) return exitStatus.stopped;
  const compute = requestedCompute(values, found.record.compute ?? { engine: "auto" });
  return executeRun(root, found.record.id, {
    ...options,
    choice: await chosenDevices(compute),
    fresh: false,
    takeOver,
  });
}

/** Asks whether to take a run from a process that cannot be seen from here. @throws CommandError without a terminal */
async function mayTakeOver({ record, holder }: Run, yes: boolean): Promise<boolean> {
  if (yes || !holder || !isElsewhere(holder)) return true;
  const who = `process ${holder.pid} on ${holder.host}`;
  if (process.stdin.isTTY !== true)
    throw new CommandError(
      `--take-over asks before it takes run ${record.id} from ${who}: add --yes if that process is gone`,
    );
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(
      `Take run ${record.id} over from ${who}? If that process still runs, it stops, and what it did since its last checkpoint is done again. [y/N] `,
    );
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

interface ExecutionOptions {
  json: boolean;
  cores: number | undefined;
}

interface Start extends ExecutionOptions {
  choice: Choice;
  fresh: boolean;
  takeOver?: boolean;
}

const executionOptions = ({ json, cores }: { json?: boolean; cores?: string }): ExecutionOptions => ({
  json: json === true,
  cores: cores === undefined ? undefined : wholeNumber(cores, "cores", 1),
});

/** Runs all stages of a run and shows their progress. */
async function executeRun(
  root: string,
  id: string,
  { json, cores, choice, fresh, takeOver = false }: Start,
): Promise<number> {
  const tty = process.stderr.isTTY === true;
  const color = wantsColor(tty);
  const progress = createProgress(process.stderr, { tty, color });
  const show = json ? (event: RunEvent) => printJson(event) : (event: RunEvent) => progress.event(event);
  const [stopping, killing] = [new AbortController(), new AbortController()];
  const interrupt = () => {
    if (stopping.signal.aborted) {
      killing.abort();
      return;
    }
    show({ event: "message", text: "stopping after a checkpoint: press Ctrl-C again to stop at once" });
    stopping.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  let status: RunRecord["status"];
  try {
    status = await runStages(root, id, {
      executor: localExecutor(localPlace(choice, cores)),
      fresh,
      takeOver,
      onEvent: show,
      stop: stopping.signal,
      kill: killing.signal,
    });
  } finally {
    progress.close();
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
  // Its folder may have been removed or moved meanwhile; the runner has reported that.
  if (status === "failed" && !existsSync(runPaths(root, id).record)) return exitStatus.failed;
  const summary = await summarizeRun(root, id);
  if (json) printJson({ event: "result", ...summary });
  else {
    const out = process.stdout;
    const styled = wantsColor(out.isTTY === true);
    out.write(`\n${comparisonTable(summary, { color: styled, ...(out.columns ? { columns: out.columns } : {}) })}\n`);
    out.write(`Report: ${runPaths(root, id).report}\n`);
    if (status !== "done") out.write(`The run is ${status}. Continue with: btx resume ${runPaths(root, id).folder}\n`);
  }
  return status === "done" ? exitStatus.done : status === "stopped" ? exitStatus.stopped : exitStatus.failed;
}

/** `btx stop [RUN]` */
export async function stop(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, { in: { type: "string" } });
  const { root, run: found } = await namedRun(positionals[0], values.in);
  const { id } = found.record;
  const locked = await stopRun(root, id);
  while (locked.some(lockHolder)) await setTimeout(100);
  const text = locked.length === 0 ? "is not running" : `has stopped; continue with: btx resume ${found.paths.folder}`;
  process.stdout.write(`run ${id} ${text}\n`);
  return exitStatus.done;
}
