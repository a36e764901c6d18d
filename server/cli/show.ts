import { UserError } from "../protocol/errors.ts";
import { stagePaths } from "../runs/layout.ts";
import { readLastMetric } from "../runs/read.ts";
import { listRuns } from "../runs/runs.ts";
import { readStage } from "../runs/stages.ts";
import { summarizeRun } from "../runs/summary.ts";
import { wantsColor } from "../terminal/ansi.ts";
import { bestMean } from "../terminal/comparison.ts";
import { comparisonTable } from "../terminal/comparisonTable.ts";
import { type RunListing, runList, runStatus, type StageState } from "../terminal/status.ts";
import { exitStatus, findRoot, namedRun, parse, printJson } from "./command.ts";

const options = { json: { type: "boolean" }, in: { type: "string" } } as const;
const style = () => {
  const { isTTY, columns } = process.stdout;
  return { color: wantsColor(isTTY === true), ...(columns ? { columns } : {}) };
};

/** `btx list` */
export async function list(args: string[]): Promise<number> {
  const { values } = parse(args, options, 0);
  const root = findRoot(values.in);
  const listings: RunListing[] = [];
  for (const entry of await listRuns(root)) {
    if ("problem" in entry) {
      process.stderr.write(`btx: ${entry.problem}\n`);
      continue;
    }
    const { record, state } = entry.run;
    try {
      const summary = await summarizeRun(root, entry.id);
      const best = bestMean(summary);
      listings.push({
        id: record.id,
        name: record.name,
        status: state,
        started: record.created,
        stagesDone: summary.stages.filter((stage) => stage.status === "done").length,
        stages: summary.stages.length,
        ...(best ? { bestLoss: best.nats } : {}),
      });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      process.stderr.write(`btx: ${error.message}\n`);
    }
  }
  if (values.json) for (const listing of listings) printJson(listing);
  else process.stdout.write(runList(listings, style()));
  return exitStatus.done;
}

/** `btx status [RUN]` */
export async function status(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, options);
  const { root, run } = await namedRun(positionals[0], values.in);
  const states = new Map<string, StageState>();
  for (const { name, key } of run.record.stages) {
    const stage = await readStage(stagePaths(root, key).folder);
    if (!stage) continue;
    const metric = await readLastMetric(stage.paths);
    states.set(name, {
      record: stage.record,
      ...(metric ? { metric } : {}),
      interrupted: stage.state === "interrupted",
    });
  }
  if (values.json) printJson(await summarizeRun(root, run.record.id));
  else process.stdout.write(runStatus({ ...run.record, status: shown(run.state, run.record.status) }, states, style()));
  return exitStatus.done;
}

const shown = <T extends string>(state: T | "interrupted", recorded: T): T =>
  state === "interrupted" ? recorded : (state as T);

/** `btx show [RUN]` */
export async function show(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, options);
  const { root, run } = await namedRun(positionals[0], values.in);
  const summary = await summarizeRun(root, run.record.id);
  if (values.json) {
    printJson(summary);
    return exitStatus.done;
  }
  process.stdout.write(`${comparisonTable(summary, style())}\nReport: ${run.paths.report}\n`);
  return exitStatus.done;
}
