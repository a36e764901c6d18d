import { explainIssues } from "./explain.ts";
import { type Problem, sortProblems } from "./problem.ts";
import { type Experiment, resolveExperiment } from "./resolve.ts";
import { experimentFileSchema } from "./schema.ts";
import { readSource } from "./source.ts";

/** A file with more mistakes than this is not read on. */
const maxProblems = 100;

/**
 * Reads the text of an experiment file. Reports all mistakes at once, in the order of their positions (the first
 * hundred of them); the experiment is there only if there is no error. Never throws, whatever the text.
 * @param file path of the file; gives the experiment its name, nothing is read.
 */
export function parseExperiment(text: string, file: string): { experiment?: Experiment; problems: Problem[] } {
  const source = readSource(text);
  if (source.value === undefined) return { problems: sortProblems(source.problems) };
  const parsed = experimentFileSchema.safeParse(source.value);
  if (!parsed.success) {
    const found = explainIssues(parsed.error.issues, source.value, source.positions);
    return { problems: sortProblems([...source.problems, ...found]).slice(0, maxProblems) };
  }
  if (source.problems.length > 0) return { problems: sortProblems(source.problems) };
  return { experiment: resolveExperiment(parsed.data, source.positions, file), problems: [] };
}
