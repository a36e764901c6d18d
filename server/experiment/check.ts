import type { SearchOptions } from "../data/search.ts";
import { checkCompute } from "./checkCompute.ts";
import { checkFiles } from "./checkFiles.ts";
import { checkFreeze } from "./checkFreeze.ts";
import { checkMemory, type Machine, thisMachine } from "./checkMemory.ts";
import { checkMix } from "./checkMix.ts";
import { checkNames } from "./checkNames.ts";
import { checkShape } from "./checkShape.ts";
import { type Problem, sortProblems } from "./problem.ts";
import type { Experiment } from "./resolve.ts";

/**
 * What can be checked before training beyond the schema: names, keys and shapes that must fit together, files, the
 * seed's checkpoint, the tokenizer, memory. Reads names and sizes of text files, not their contents. Sorted by
 * position.
 * @param file path of the experiment file; its folder is where relative paths begin.
 * @param machine what the training would run on.
 * @param search how much the search for the files of each domain may take.
 */
export async function checkExperiment(
  experiment: Experiment,
  file: string,
  machine: Machine = thisMachine(),
  search: SearchOptions = {},
): Promise<Problem[]> {
  const files = await checkFiles(experiment, file, search);
  const model = checkShape(experiment, files.shape);
  const fits = model.length > 0 || !files.shape ? [] : checkMemory(experiment, files.shape, files.vocab, machine);
  return sortProblems([
    ...checkNames(experiment),
    ...checkMix(experiment),
    ...checkFreeze(experiment, files.shape ?? experiment.model),
    ...checkCompute(experiment),
    ...files.problems,
    ...model,
    ...fits,
  ]);
}
