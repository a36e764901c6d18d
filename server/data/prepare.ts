import { hash } from "node:crypto";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { DamagedError } from "../disk/damaged.ts";
import { diskError, hasCode } from "../disk/errors.ts";
import { fenceAround } from "../disk/fence.ts";
import { checkFile, digestsOfFiles } from "../disk/fileDigests.ts";
import { readBoundedSync } from "../disk/open.ts";
import { parseSealed, sealed } from "../disk/seal.ts";
import { type DataIndex, type DomainIndex, dataIndexSchema, domainIndexSchema } from "../protocol/data.ts";
import { UserError } from "../protocol/errors.ts";
import { type DataSpec, type DomainSpec, type FileDigests, fileDigestsSchema } from "../protocol/stage.ts";
import { dtypeOf, encodeDomain } from "./encodeDomain.ts";
import { hashFiles } from "./files.ts";
import { makeTokenizer } from "./makeTokenizer.ts";
import { Pace } from "./pace.ts";
import { type Split, surveySplit } from "./split.ts";
import { loadTokenizer, tokenizerOf } from "./tokenizers/load.ts";
import { writeWhole } from "./write.ts";

export interface PrepareOptions {
  /** `done` of `total` bytes of text of the work that `label` names ("reading code", "training the tokenizer", ...). */
  onProgress?(done: number, total: number, label: string): void;
  stopRequested?(): boolean;
}

/** `progress.json`: what is finished in an unfinished folder. */
const progressSchema = z.strictObject({
  spec: z.string(),
  tokenizer: z.boolean(),
  domains: z.array(z.tuple([z.string(), domainIndexSchema])),
  /** The finished files; absent in folders of older versions. */
  files: fileDigestsSchema.optional(),
});
type Progress = z.infer<typeof progressSchema>;

/**
 * Makes the data of an experiment: trains or copies the tokenizer, splits each domain's documents (see Split), encodes
 * them and writes the folder that dataIndexSchema describes, `index.json` last. Called again on a finished folder it
 * gives its index; on an unfinished one it goes on after the last finished domain. Where a finished file has changed
 * since, it starts over. The same spec gives the same bytes. Memory does not grow with the text.
 *
 * @throws UserError naming the file or domain that is at fault; StopRequested.
 */
export async function prepareData(spec: DataSpec, folder: string, options: PrepareOptions = {}): Promise<DataIndex> {
  const specHash = hash("sha256", JSON.stringify(spec));
  const progress = await intactProgress(folder, specHash);
  const finished = readValid(join(folder, "index.json"), dataIndexSchema);
  if (finished?.spec === specHash && progress) return finished;
  return new Preparation(spec, specHash, folder, progress, options).run();
}

const progressFile = (folder: string): string => join(folder, "progress.json");

/** The progress of a preparation of this spec; undefined if there is none, or if one of its files has changed since. */
async function intactProgress(folder: string, specHash: string): Promise<Progress | undefined> {
  const progress = readValid(progressFile(folder), progressSchema);
  if (progress?.spec !== specHash) return undefined;
  try {
    for (const [name, digest] of Object.entries(progress.files ?? {})) await checkFile(join(folder, name), digest);
    return progress;
  } catch (error) {
    if (error instanceof DamagedError) return undefined;
    throw error;
  }
}

class Preparation {
  readonly #spec: DataSpec;
  readonly #specHash: string;
  readonly #folder: string;
  readonly #options: PrepareOptions;
  readonly #pace: Pace;
  readonly #splits = new Map<string, Split>();
  readonly #domains: Map<string, DomainIndex>;
  readonly #files: FileDigests;
  #tokenizerDone: boolean;

  constructor(spec: DataSpec, specHash: string, folder: string, known: Progress | undefined, options: PrepareOptions) {
    this.#spec = spec;
    this.#specHash = specHash;
    this.#folder = folder;
    this.#options = options;
    this.#pace = new Pace(options.stopRequested);
    mkdirSync(folder, { recursive: true });
    fenceAround(folder).prove();
    rmSync(join(folder, "index.json"), { force: true });
    this.#files = { ...known?.files };
    this.#tokenizerDone = known?.tokenizer ?? false;
    this.#domains = new Map(known?.domains);
  }

  async run(): Promise<DataIndex> {
    this.#pace.check();
    if (!this.#tokenizerDone) await this.#makeTokenizer();
    const tokenizer = await loadTokenizer(this.#folder);
    for (const [name, domain] of Object.entries(this.#spec.domains)) {
      if (this.#domains.has(name)) continue;
      const split = await this.#split(name, domain);
      const visit = this.#progress(split.bytes, `encoding ${name}`);
      const into = join(this.#folder, name);
      const made = await encodeDomain(name, domain, split, tokenizer, into, visit);
      this.#domains.set(name, made.index);
      await this.#save(made.files.map((file) => `${name}/${file}`));
    }
    const { vocab, endOfText } = tokenizer;
    const names = Object.keys(this.#spec.domains);
    const domains = Object.fromEntries(names.map((name) => [name, this.#domains.get(name)!]));
    const index: DataIndex = {
      version: 1,
      spec: this.#specHash,
      vocab,
      endOfText,
      dtype: dtypeOf(vocab),
      domains,
    };
    writeWhole(join(this.#folder, "index.json"), sealed(index));
    return index;
  }

  async #makeTokenizer(): Promise<void> {
    const domains = [];
    if (this.#spec.tokenizer.type === "bpe") {
      for (const [name, domain] of Object.entries(this.#spec.domains)) {
        domains.push({ domain, split: await this.#split(name, domain) });
      }
    }
    const bytes = domains.reduce((sum, { split }) => sum + split.bytes, 0);
    const visit = this.#progress(bytes, "training the tokenizer");
    const files = await makeTokenizer(this.#spec.tokenizer, domains, visit, this.#pace.yieldToSignals);
    const path = join(this.#folder, "tokenizer.json");
    tokenizerOf(files, this.#spec.tokenizer.type === "file" ? this.#spec.tokenizer.path : path);
    writeWhole(join(this.#folder, "tokenizer_config.json"), files.config);
    writeWhole(path, files.tokenizer);
    this.#tokenizerDone = true;
    await this.#save(["tokenizer.json", "tokenizer_config.json"]);
  }

  async #split(name: string, domain: DomainSpec): Promise<Split> {
    const known = this.#splits.get(name);
    if (known) return known;
    this.#pace.check();
    if ((await hashFiles(domain.files)) !== domain.sha256) {
      throw new UserError(`files of the domain "${name}" changed after the run was planned: start a new run`);
    }
    const size = domain.files.reduce((sum, file) => sum + statSync(file).size, 0);
    const visit = this.#progress(size, `reading ${name}`);
    const split = await surveySplit(name, domain, this.#spec.heldOut, visit);
    this.#splits.set(name, split);
    return split;
  }

  /**
   * Counts and reports bytes of text, and lets other events be handled. Compressed files have more text than their
   * size.
   */
  #progress(total: number, label: string): (bytes: number) => Promise<void> {
    let done = 0;
    return async (bytes) => {
      done += bytes;
      this.#options.onProgress?.(Math.min(done, total), total, label);
      await this.#pace.yieldToSignals();
    };
  }

  /** @param made files that were finished since the last save, below the folder. */
  async #save(made: readonly string[]): Promise<void> {
    Object.assign(this.#files, await digestsOfFiles(this.#folder, made));
    const progress: Progress = {
      spec: this.#specHash,
      tokenizer: this.#tokenizerDone,
      domains: [...this.#domains],
      files: this.#files,
    };
    writeWhole(progressFile(this.#folder), sealed(progress));
  }
}

/**
 * A JSON file's value; undefined if the file does not exist or is not valid, because the work is then done again.
 *
 * @throws UserError if the disk fails.
 */
function readValid<T>(file: string, schema: z.ZodType<T>): T | undefined {
  let text: string;
  try {
    text = readBoundedSync(file, 256 << 20).toString("utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw diskError(error, file, "read");
  }
  try {
    return parseSealed(text, schema, file);
  } catch {
    return undefined;
  }
}
