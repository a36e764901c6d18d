import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { expandFiles } from "../data/files.ts";
import { UserError } from "../protocol/errors.ts";
import type { ModelShape } from "../protocol/stage.ts";
import { tokenizerFile } from "./inputs.ts";
import type { Path, Problem } from "./problem.ts";
import type { Domain, Experiment } from "./resolve.ts";
import { firstDifference, readSeedFolder, seedShape } from "./seedFolder.ts";
import { byteVocabulary, vocabularyOf } from "./vocabulary.ts";

export interface FilesFound {
  problems: Problem[];
  /** Shape of the seed; undefined when its checkpoint cannot be read. */
  shape?: ModelShape | undefined;
  /** Size of the vocabulary, as far as it can be known before training. */
  vocab: number;
}

/** Missing files, globs that match nothing, too little text, a seed or a tokenizer that cannot be read. */
export async function checkFiles(experiment: Experiment, file: string): Promise<FilesFound> {
  const folder = dirname(resolve(file));
  const seed = await checkSeed(experiment, folder);
  const context = (seed.shape ?? experiment.model).context;
  const domains = await Promise.all(
    [...experiment.domains].map(([name, domain]) => checkDomain(experiment, folder, name, domain, context)),
  );
  const tokenizer = await checkTokenizer(experiment, folder);
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
  const message = `domain \`${name}\` has ${count}, less than one context of ${context} tokens: add text, or lower \`model.context\``;
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
  const found = await readSeedFolder(from);
  if ("problem" in found) return { problems: [wrong(`\`seed.from\`: ${found.problem}`)] };
  const problems: Problem[] = [];
  const different = firstDifference(givenModel, found.shape);
  if (different) {
    const rule = different === "context" ? "it may be shorter, not longer" : "remove it, or make it agree";
    const message = `\`model.${different}\` is ${givenModel[different]}, but the seed in ${from} has ${found.shape[different]}: ${rule}`;
    problems.push(wrong(message, ["model", different]));
  }
  const weights = await expandFiles("*.safetensors", from).catch(() => []);
  if (weights.length === 0) problems.push(wrong(`\`seed.from\`: the folder ${from} has no *.safetensors file`));
  return { problems, shape: seedShape(givenModel, found.shape), vocab: found.vocab };
}

const maxTokenizerBytes = 256 * 1024 * 1024;

async function checkTokenizer(
  { tokenizer, seed, positions }: Experiment,
  folder: string,
): Promise<{ problems: Problem[]; vocab: number }> {
  if (tokenizer?.type === "bytes") return { problems: [], vocab: byteVocabulary };
  if (tokenizer?.type === "bpe") return { problems: [], vocab: tokenizer.vocab };
  const path: Path = tokenizer ? ["tokenizer", "path"] : ["seed", "from"];
  const wrong = (message: string) => ({
    problems: [{ ...positions.value(path), message, path, severity: "error" } as const],
    vocab: byteVocabulary,
  });
  if (tokenizer?.path === "") return wrong("`tokenizer.path` is missing: a tokenizer of type `file` needs it");
  const named = tokenizer?.path ?? ("from" in seed ? seed.from : "");
  const file = await tokenizerFile(resolve(folder, named));
  const bytes = await stat(file).then(
    (info) => info.size,
    () => undefined,
  );
  if (bytes === undefined) {
    // A seed's folder that is missing altogether is reported with the seed.
    if (!tokenizer && file === resolve(folder, named)) return { problems: [], vocab: byteVocabulary };
    const remedy = tokenizer ? "" : ", so `tokenizer` must say how text becomes tokens";
    return wrong(`the tokenizer ${file} does not exist${remedy}`);
  }
  if (bytes > maxTokenizerBytes) return wrong(`the tokenizer ${file} has ${bytes} bytes, which is no tokenizer.json`);
  const vocab = await vocabularyOf(file);
  return vocab === undefined ? wrong(`${file} is not a Hugging Face tokenizer.json`) : { problems: [], vocab };
}
