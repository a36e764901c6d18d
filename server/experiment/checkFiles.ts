import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { vocabularyProblem } from "../checkpoint/seed.ts";
import { expandFiles } from "../data/files.ts";
import { tokenizerPath } from "../data/tokenizers/load.ts";
import { UserError } from "../protocol/errors.ts";
import type { ModelShape } from "../protocol/stage.ts";
import type { Path, Problem } from "./problem.ts";
import type { Domain, Experiment } from "./resolve.ts";
import { firstDifference, readSeed, seedShape } from "./seed.ts";
import { byteVocabulary, tokenizerVocabulary } from "./tokenizer.ts";

export interface FilesFound {
  problems: Problem[];
  /** Shape of the seed; undefined if its checkpoint cannot be used. */
  shape?: ModelShape | undefined;
  /** Size of the vocabulary, if it can be known before training. */
  vocab: number;
}

/** Missing files, globs that match nothing, too little text, seeds and tokenizers that cannot be used. */
export async function checkFiles(experiment: Experiment, file: string): Promise<FilesFound> {
  const folder = dirname(resolve(file));
  const seed = await checkSeed(experiment, folder);
  const context = (seed.shape ?? experiment.model).context;
  const domains = await Promise.all(
    [...experiment.domains].map(([name, domain]) => checkDomain(experiment, folder, name, domain, context)),
  );
  const tokenizer = await checkTokenizer(experiment, folder, seed.vocab);
  return {
    problems: [...seed.problems, ...domains.flat(), ...tokenizer.problems],
    shape: seed.shape,
    vocab: seed.vocab ?? tokenizer.vocab,
  };
}

async function checkDomain(
  { positions }: Experiment,
  folder: string,
  name: string,
  domain: Domain,
  context: number,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  const files = new Set<string>();
  const without = domain.files.filter((pattern) => pattern.startsWith("!"));
  for (const [i, pattern] of domain.files.entries()) {
    if (pattern.startsWith("!") && domain.files.length > without.length) continue;
    const item: Path = ["domains", name, "files", i];
    const path = positions.has(item) ? item : ["domains", name, "files"];
    try {
      for (const found of await expandFiles([pattern, ...without], folder)) files.add(found);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const message = `domain \`${name}\`: ${error.message}`;
      problems.push({ ...positions.value(path), message, path, severity: "error" });
    }
  }
  if (problems.length > 0 || [...files].some((path) => /\.(gz|parquet)$/i.test(path))) return problems;
  const bytes = await totalSize(files);
  if (bytes >= context) return problems;
  const count = `${bytes} ${bytes === 1 ? "byte" : "bytes"} of text in ${files.size} ${files.size === 1 ? "file" : "files"}`;
  const message = `domain \`${name}\` has ${count}, less than one context of ${context} tokens: add text or lower \`model.context\``;
  const path: Path = ["domains", name, "files"];
  return [{ ...positions.value(path), message, path, severity: "error" }];
}

async function totalSize(files: Iterable<string>): Promise<number> {
  let bytes = 0;
  for (const file of files)
    bytes += await stat(file).then(
      (info) => info.size,
      () => 0,
    );
  return bytes;
}

async function checkSeed(
  { seed, model, givenModel, positions }: Experiment,
  folder: string,
): Promise<{ problems: Problem[]; shape?: ModelShape; vocab?: number }> {
  if (!("from" in seed)) return { problems: [], shape: model };
  const path: Path = ["seed", "from"];
  const wrong = (message: string, at: Path = path): Problem => ({
    ...positions.value(at),
    message,
    path: at,
    severity: "error",
  });
  const from = resolve(folder, seed.from);
  const found = await orProblem(readSeed(from));
  if (typeof found === "string") return { problems: [wrong(`\`seed.from\`: ${found}`)] };
  const problems: Problem[] = [];
  const different = firstDifference(givenModel, found.shape);
  if (different) {
    const rule = different === "context" ? "lower it" : "remove the key or make it agree";
    const message = `\`model.${different}\` is ${givenModel[different]}, but the seed in ${from} has ${found.shape[different]}: ${rule}`;
    problems.push(wrong(message, ["model", different]));
  }
  return { problems, shape: seedShape(givenModel, found.shape), vocab: found.vocab };
}

/** The result of the work, or the message of the UserError that it throws. */
const orProblem = <T>(work: Promise<T>): Promise<T | string> =>
  work.catch((error: unknown) => {
    if (error instanceof UserError) return error.message;
    throw error;
  });

/** @param seedVocab size of the vocabulary of a seed that is loaded */
async function checkTokenizer(
  { tokenizer, seed, positions }: Experiment,
  folder: string,
  seedVocab: number | undefined,
): Promise<{ problems: Problem[]; vocab: number }> {
  const path: Path = tokenizer?.type === "file" ? ["tokenizer", "path"] : tokenizer ? ["tokenizer"] : ["seed", "from"];
  const found = await vocabularyOf({ tokenizer, seed }, folder);
  if (found === undefined) return { problems: [], vocab: byteVocabulary };
  const problem = (message: string): Problem => ({ ...positions.value(path), message, path, severity: "error" });
  if (typeof found === "string") return { problems: [problem(found)], vocab: byteVocabulary };
  if (seedVocab === undefined || !("from" in seed)) return { problems: [], vocab: found };
  const mismatch = vocabularyProblem(resolve(folder, seed.from), seedVocab, found);
  return { problems: mismatch ? [problem(mismatch)] : [], vocab: seedVocab };
}

/** Size of the vocabulary, or why it cannot be known; undefined if the problem is reported with the seed. */
async function vocabularyOf(
  { tokenizer, seed }: Pick<Experiment, "tokenizer" | "seed">,
  folder: string,
): Promise<number | string | undefined> {
  if (tokenizer?.type === "bytes") return byteVocabulary;
  if (tokenizer?.type === "bpe") return tokenizer.vocab;
  if (tokenizer?.path === "") return "`tokenizer.path` is missing: give the path of a `tokenizer.json`";
  if (tokenizer) return orProblem(tokenizerVocabulary(await tokenizerPath(resolve(folder, tokenizer.path))));
  const from = resolve(folder, "from" in seed ? seed.from : "");
  const file = await tokenizerPath(from);
  if (file === from) return undefined;
  if (await stat(file).catch(() => undefined)) return orProblem(tokenizerVocabulary(file));
  return `the seed has no tokenizer of its own, ${file}: name one under \`tokenizer\``;
}
