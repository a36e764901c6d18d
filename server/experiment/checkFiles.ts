import { dirname, resolve } from "node:path";
import { vocabularyProblem } from "../checkpoint/seed.ts";
import { expandFiles } from "../data/files.ts";
import { Search, type SearchOptions } from "../data/search.ts";
import { tokenizerPath } from "../data/tokenizers/load.ts";
import { statsOf } from "../disk/open.ts";
import { OutOfReachError } from "../disk/reach.ts";
import { UserError } from "../protocol/errors.ts";
import type { ModelShape } from "../protocol/stage.ts";
import type { Path, Problem, Severity } from "./problem.ts";
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

/**
 * Missing files, globs that match nothing, too little text, seeds and tokenizers that cannot be used.
 *
 * @param search how much the search for the files of each domain may take.
 */
export async function checkFiles(
  experiment: Experiment,
  file: string,
  search: SearchOptions = {},
): Promise<FilesFound> {
  const folder = dirname(resolve(file));
  const seed = await checkSeed(experiment, folder);
  const context = (seed.shape ?? experiment.model).context;
  const domains: Problem[] = [];
  // One after the other, because each may hold the paths of a million files.
  for (const [name, domain] of experiment.domains)
    domains.push(...(await checkDomain(experiment, folder, name, domain, context, new Search(search))));
  const tokenizer = await checkTokenizer(experiment, folder, seed.vocab);
  return {
    problems: [...seed.problems, ...domains, ...tokenizer.problems],
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
  search: Search,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  const files = new Set<string>();
  const without = domain.files.filter((pattern) => pattern.startsWith("!"));
  for (const [i, pattern] of domain.files.entries()) {
    if (pattern.startsWith("!") && domain.files.length > without.length) continue;
    const item: Path = ["domains", name, "files", i];
    const path = positions.has(item) ? item : ["domains", name, "files"];
    try {
      for (const found of await expandFiles([pattern, ...without], folder, search)) files.add(found);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const message = `domain \`${name}\`: ${error.message}`;
      problems.push({ ...positions.value(path), message, path, severity: severityOf(error) });
    }
  }
  if (problems.length > 0 || [...files].some((path) => /\.(gz|parquet)$/i.test(path))) return problems;
  const bytes = await sizeUpTo(files, context);
  if (bytes >= context) return problems;
  const count = `${bytes} ${bytes === 1 ? "byte" : "bytes"} of text in ${files.size} ${files.size === 1 ? "file" : "files"}`;
  const message = `domain \`${name}\` has ${count}, less than one context of ${context} tokens: add text or lower \`model.context\``;
  const path: Path = ["domains", name, "files"];
  return [{ ...positions.value(path), message, path, severity: "error" }];
}

/** What was not read because the workspace is not trusted is no mistake. */
const severityOf = (error: UserError): Severity => (error instanceof OutOfReachError ? "information" : "error");

/** Size of all files, or at least `enough`. */
async function sizeUpTo(files: Iterable<string>, enough: number): Promise<number> {
  let bytes = 0;
  for (const file of files) {
    if (bytes >= enough) break;
    bytes += (await statsOf(file))?.size ?? 0;
  }
  return bytes;
}

async function checkSeed(
  { seed, model, givenModel, positions }: Experiment,
  folder: string,
): Promise<{ problems: Problem[]; shape?: ModelShape; vocab?: number }> {
  if (!("from" in seed)) return { problems: [], shape: model };
  const path: Path = ["seed", "from"];
  const wrong = (message: string, at: Path = path, severity: Severity = "error"): Problem => ({
    ...positions.value(at),
    message,
    path: at,
    severity,
  });
  const from = resolve(folder, seed.from);
  const found = await orProblem(() => readSeed(from));
  if (found instanceof UserError)
    return { problems: [wrong(`\`seed.from\`: ${found.message}`, path, severityOf(found))] };
  const problems: Problem[] = [];
  const different = firstDifference(givenModel, found.shape);
  if (different) {
    const rule = different === "context" ? "lower it" : "remove the key or make it agree";
    const message = `\`model.${different}\` is ${givenModel[different]}, but the seed in ${from} has ${found.shape[different]}: ${rule}`;
    problems.push(wrong(message, ["model", different]));
  }
  return { problems, shape: seedShape(givenModel, found.shape), vocab: found.vocab };
}

/** The result of the work, or the UserError that it throws. */
async function orProblem<T>(work: () => Promise<T>): Promise<T | UserError> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

/** @param seedVocab size of the vocabulary of a seed that is loaded */
async function checkTokenizer(
  { tokenizer, seed, positions }: Experiment,
  folder: string,
  seedVocab: number | undefined,
): Promise<{ problems: Problem[]; vocab: number }> {
  const path: Path = tokenizer?.type === "file" ? ["tokenizer", "path"] : tokenizer ? ["tokenizer"] : ["seed", "from"];
  const found = await orProblem(() => vocabularyOf({ tokenizer, seed }, folder));
  if (found === undefined) return { problems: [], vocab: byteVocabulary };
  const problem = (message: string, severity: Severity = "error"): Problem => ({
    ...positions.value(path),
    message,
    path,
    severity,
  });
  if (found instanceof UserError)
    return { problems: [problem(found.message, severityOf(found))], vocab: byteVocabulary };
  if (seedVocab === undefined || !("from" in seed)) return { problems: [], vocab: found };
  const isMade = tokenizer !== undefined && tokenizer.type !== "file";
  const mismatch = vocabularyProblem(resolve(folder, seed.from), seedVocab, found, isMade);
  return { problems: mismatch ? [problem(mismatch)] : [], vocab: seedVocab };
}

/**
 * Size of the vocabulary; undefined if what is wrong is reported with the seed.
 *
 * @throws UserError that says why it is not known.
 */
async function vocabularyOf(
  { tokenizer, seed }: Pick<Experiment, "tokenizer" | "seed">,
  folder: string,
): Promise<number | undefined> {
  if (tokenizer?.type === "bytes") return byteVocabulary;
  if (tokenizer?.type === "bpe") return tokenizer.vocab;
  if (tokenizer?.path === "") throw new UserError("`tokenizer.path` is missing: give the path of a `tokenizer.json`");
  if (tokenizer) return tokenizerVocabulary(await tokenizerPath(resolve(folder, tokenizer.path)));
  const from = resolve(folder, "from" in seed ? seed.from : "");
  const file = await tokenizerPath(from);
  if (file === from) return undefined;
  if (await statsOf(file)) return tokenizerVocabulary(file);
  throw new UserError(`the seed has no tokenizer of its own, ${file}: name one under \`tokenizer\``);
}
