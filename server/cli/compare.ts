import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { compareRuns } from "../compare/compare.ts";
import type { RunReference } from "../compare/results.ts";
import { UserError } from "../protocol/errors.ts";
import { writeComparison } from "../report/runs/write.ts";
import { listRuns } from "../runs/runs.ts";
import { wantsColor } from "../terminal/ansi.ts";
import { runsTable } from "../terminal/runsTable.ts";
import { CommandError, exitStatus, findRoot, namedRun, parse, printJson } from "./command.ts";

const options = {
  json: { type: "boolean" },
  bits: { type: "boolean" },
  in: { type: "string" },
  out: { type: "string" },
  equal: { type: "string", default: "tokens" },
} as const;

/** The named runs, or all runs in the root. */
async function runsToCompare(names: readonly string[], folder: string | undefined): Promise<RunReference[]> {
  const runs: RunReference[] = [];
  for (const name of names) {
    const { root, run } = await namedRun(name, folder);
    runs.push({ root, id: run.record.id });
  }
  if (names.length > 0) return runs;
  const root = findRoot(folder);
  for (const entry of await listRuns(root)) {
    if ("problem" in entry) process.stderr.write(`btx: ${entry.problem}\n`);
    else runs.push({ root, id: entry.id });
  }
  if (runs.length === 0) throw new UserError(`there is no run in ${root}: start one with \`btx run FILE\``);
  return runs;
}

/** `btx compare [RUN...]` */
export async function compare(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, options, Number.POSITIVE_INFINITY);
  const { equal } = values;
  if (equal !== "tokens" && equal !== "flops")
    throw new CommandError(`--equal takes "tokens" or "flops", not "${equal}"`);
  const runs = await runsToCompare(positionals, values.in);
  const folder = resolve(values.out ?? join(runs[0]!.root, "compare"));
  if (existsSync(folder) && !statSync(folder).isDirectory())
    throw new CommandError(`--out takes a folder, but ${folder} is a file`);
  const comparison = await compareRuns(runs, { equal, measure: values.bits ? "bitsPerByte" : "nats" });
  const written = await writeComparison(comparison, folder);
  if (values.json) {
    printJson(comparison);
    return exitStatus.done;
  }
  const { isTTY, columns } = process.stdout;
  process.stdout.write(
    `${runsTable(comparison, { color: wantsColor(isTTY === true), ...(columns ? { columns } : {}) })}\n`,
  );
  for (const path of written) process.stdout.write(`Written: ${path}\n`);
  return exitStatus.done;
}
