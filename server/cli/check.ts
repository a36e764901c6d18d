import { readBounded } from "../disk/open.ts";
import { checkExperiment } from "../experiment/check.ts";
import type { Machine } from "../experiment/checkMemory.ts";
import { parseExperiment } from "../experiment/parse.ts";
import { type Problem, problemText } from "../experiment/problem.ts";
import type { Experiment } from "../experiment/resolve.ts";
import { maxExperimentBytes } from "../protocol/run.ts";
import { exitStatus, experimentFile, parse, printJson, shownPath } from "./command.ts";

export interface CheckResult {
  text: string;
  /** Absent if there are errors. */
  experiment?: Experiment;
  problems: Problem[];
}

/**
 * Reads an experiment file and finds all mistakes that can be found before training.
 * @param machineFor the machine to train on, if it is not this one
 */
export async function readExperiment(
  file: string,
  machineFor?: (experiment: Experiment) => Promise<Machine | undefined>,
): Promise<CheckResult> {
  const text = (await readBounded(file, maxExperimentBytes)).toString("utf8");
  const { experiment, problems } = parseExperiment(text, file);
  if (!experiment) return { text, problems };
  const machine = await machineFor?.(experiment);
  const found = [...problems, ...(await checkExperiment(experiment, file, machine))];
  const usable = !found.some(({ severity }) => severity === "error");
  return { text, problems: found, ...(usable ? { experiment } : {}) };
}

/** `btx check FILE` */
export async function check(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, { json: { type: "boolean" } });
  const { file } = experimentFile(positionals[0]);
  const { experiment, problems } = await readExperiment(file);
  if (values.json) printJson({ file, problems });
  else {
    for (const problem of problems) process.stdout.write(`${problemText(problem, shownPath(file))}\n`);
    if (experiment) process.stdout.write(`${shownPath(file)} can be run\n`);
  }
  return experiment ? exitStatus.done : exitStatus.usage;
}
