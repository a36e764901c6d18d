import { basename, dirname } from "node:path";
import { loadCheckpoint, readCheckpoint } from "../checkpoint/loadCheckpoint.ts";
import { type Parameter, saveCheckpoint } from "../checkpoint/saveCheckpoint.ts";
import { openSeed, vocabularyProblem } from "../checkpoint/seed.ts";
import { loadTokenizer } from "../data/tokenizers/load.ts";
import type { Store } from "../engine/store.ts";
import { parameterShapes } from "../model/parameters.ts";
import { UserError } from "../protocol/errors.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { checkResult } from "../runs/stageFiles.ts";
import type { StageContext } from "./context.ts";

export type Parameters = Map<string, { shape: number[]; data: Float32Array }>;

export interface Model {
  config: ModelConfig;
  parameters: Parameters;
}

/** Reads the model in a checkpoint folder. @throws UserError naming the first tensor that does not match the config */
export async function loadModel(folder: string): Promise<Model> {
  const { config, tensors } = await loadCheckpoint(folder, parameterShapes);
  return { config, parameters: tensors };
}

/**
 * Reads the checkpoint of a seed for a tokenizer of `vocab` tokens.
 *
 * @throws UserError for the problems that `btx check` reports, if the checkpoint cannot be the seed
 */
export async function loadSeed(folder: string, vocab: number): Promise<Model> {
  // The seed may be a model of another run.
  if (basename(folder) === "checkpoint") await checkResult(dirname(folder));
  const opened = await openSeed(folder, parameterShapes);
  const problem = vocabularyProblem(folder, opened.config.vocab, vocab);
  if (problem) {
    await opened.weights.close();
    throw new UserError(problem);
  }
  const { config, tensors } = await readCheckpoint(opened);
  return { config, parameters: tensors };
}

/** The model that a stage starts from. */
export const parentModel = (context: StageContext, role = "model"): Promise<Model> =>
  loadModel(context.parent(role).checkpoint);

/** Folders from which files go along with a model. */
interface Sources {
  /** That of the tokenizer. */
  tokenizer: string;
  /** That of the model it was made from, if any: its chat template, licence and so on. */
  madeFrom?: string;
}

/** Writes the stage's checkpoint atomically: a Hugging Face folder with its tokenizer and what belongs to the model. */
export async function saveModel(context: StageContext, model: Model, { tokenizer, madeFrom }: Sources): Promise<void> {
  const { endOfText } = await loadTokenizer(tokenizer);
  const { config } = model;
  const tensors = model.parameters as Map<string, Parameter>;
  const files = { config, tensors, endOfText, tokenizerFolder: tokenizer };
  await saveCheckpoint(context.paths.checkpoint, madeFrom === undefined ? files : { ...files, madeFrom });
}

/** The parameters among a store's tensors. */
export async function parametersIn(store: Store, config: ModelConfig): Promise<Parameters> {
  const parameters: Parameters = new Map();
  for (const [name, shape] of parameterShapes(config))
    parameters.set(name, { shape, data: (await store.read(name)).data as Float32Array });
  return parameters;
}
