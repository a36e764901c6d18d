import { loadCheckpoint } from "../checkpoint/loadCheckpoint.ts";
import { loadTokenizer } from "../data/tokenizers/load.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import { parameterShapes } from "../model/parameters.ts";
import type { ModelConfig } from "../protocol/model.ts";

export interface OpenedModel {
  config: ModelConfig;
  parameters: Map<string, { shape: number[]; data: Float32Array }>;
  tokenizer: Tokenizer;
}

/** Reads the model and the tokenizer of a checkpoint folder. @throws UserError that names what cannot be read. */
export async function openCheckpointFolder(folder: string): Promise<OpenedModel> {
  const { config, tensors } = await loadCheckpoint(folder, parameterShapes);
  return { config, parameters: tensors, tokenizer: await loadTokenizer(folder) };
}
