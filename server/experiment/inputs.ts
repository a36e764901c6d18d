import { dirname, resolve } from "node:path";
import { expandFiles, hashFiles } from "../data/files.ts";
import { tokenizerPath } from "../data/tokenizers/load.ts";
import { UserError } from "../protocol/errors.ts";
import type { DataSpec, DomainSpec, ModelShape, SeedSpec, TokenizerSpec } from "../protocol/stage.ts";
import type { Experiment } from "./resolve.ts";
import { firstDifference, readSeed, seedShape } from "./seed.ts";
import { byteVocabulary, tokenizerVocabulary } from "./tokenizer.ts";

/** What a plan reads from files. */
export interface PlanInputs {
  data: DataSpec;
  shape: ModelShape;
  /** Size of the vocabulary as known before training; a `bpe` tokenizer trained on short text may have fewer tokens. */
  vocab: number;
  /** The seed's checkpoint, if the seed is loaded. */
  from?: SeedSpec["from"];
}

/**
 * Reads what a plan depends on: hashes of texts, tokenizer and seed, and the seed's shape.
 * @throws UserError for what is missing, cannot be read, or contradicts `model`.
 */
export async function planInputs(experiment: Experiment, file: string): Promise<PlanInputs> {
  const folder = dirname(resolve(file));
  const domains: Record<string, DomainSpec> = {};
  for (const name of [...experiment.domains.keys()].sort()) {
    const { files: patterns, text, answerAfter } = experiment.domains.get(name)!;
    try {
      const files = await expandFiles(patterns, folder);
      domains[name] = { files, sha256: await hashFiles(files), text, answerAfter };
    } catch (error) {
      throw error instanceof UserError ? new UserError(`domain \`${name}\`: ${error.message}`) : error;
    }
  }
  const from = "from" in experiment.seed ? resolve(folder, experiment.seed.from) : undefined;
  const data: DataSpec = {
    kind: "data",
    tokenizer: await tokenizerSpec(experiment, folder, from),
    domains,
    heldOut: experiment.heldOut,
  };
  if (from === undefined) return { data, shape: experiment.model, vocab: await vocabularySize(data.tokenizer) };
  const found = await readSeed(from);
  const different = firstDifference(experiment.givenModel, found.shape);
  if (different)
    throw new UserError(
      `\`model.${different}\` is ${experiment.givenModel[different]}, but the seed in ${from} has ${found.shape[different]}`,
    );
  const weights = await expandFiles("*.safetensors", from);
  return {
    data,
    shape: seedShape(experiment.givenModel, found.shape),
    vocab: found.vocab,
    from: { path: from, sha256: await hashFiles(weights) },
  };
}

async function tokenizerSpec(experiment: Experiment, folder: string, from?: string): Promise<TokenizerSpec> {
  const choice = experiment.tokenizer ?? { type: "file", path: from! };
  if (choice.type !== "file") return choice;
  const path = await tokenizerPath(resolve(folder, choice.path));
  return { type: "file", path, sha256: await hashFiles([path]) };
}

async function vocabularySize(tokenizer: TokenizerSpec): Promise<number> {
  if (tokenizer.type === "bytes") return byteVocabulary;
  if (tokenizer.type === "bpe") return tokenizer.vocab;
  return tokenizerVocabulary(tokenizer.path);
}
