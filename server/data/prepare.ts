import { hash } from "node:crypto";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { fenceAround } from "../disk/fence.ts";
import { readBoundedSync } from "../disk/open.ts";
import { type DataIndex, type DomainIndex, dataIndexSchema, domainIndexSchema } from "../protocol/data.ts";
import { UserError } from "../protocol/errors.ts";
import type { DataSpec, DomainSpec } from "../protocol/stage.ts";
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
});

/**
 * Makes the data of an experiment: trains or copies the tokenizer, splits each domain's documents (see Split), encodes
 * them and writes the folder that dataIndexSchema describes, `index.json` last. Called again on a finished folder it
 * gives its index; on an unfinished one it goes on after the last finished domain. The same spec gives the same bytes.
 * Memory does not grow with the text.
 *
 * @throws UserError naming the file or domain that is at fault; StopRequested.
 */
export async function prepareData(spec: DataSpec, folder: string, options: PrepareOptions = {}): Promise<DataIndex> {
  const specHash = hash("sha256", JSON.stringify(spec));
  const finished = readValid(join(folder, "index.json"), dataIndexSchema);
  if (finished?.spec === specHash) return finished;
  return new Preparation(spec, specHash, folder, options).run();
}

class Preparation {
  readonly #spec: DataSpec;
  readonly #specHash: string;
  readonly #folder: string;
  readonly #options: PrepareOptions;
  readonly #pace: Pace;
  readonly #splits = new Map<string, Split>();
  readonly #domains: Map<string, DomainIndex>;
  #tokenizerDone: boolean;

  constructor(spec: DataSpec, specHash: string, folder: string, options: PrepareOptions) {
    this.#spec = spec;
    this.#specHash = specHash;
    this.#folder = folder;
    this.#options = options;
    this.#pace = new Pace(options.stopRequested);
    mkdirSync(folder, { recursive: true });
    fenceAround(folder).prove();
    rmSync(join(folder, "index.json"), { force: true });
    const progress = readValid(this.#progressFile, progressSchema);
    const known = progress?.spec === specHash ? progress : undefined;
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
      this.#domains.set(name, await encodeDomain(name, domain, split, tokenizer, into, visit));
      this.#save();
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
    writeWhole(join(this.#folder, "index.json"), `${JSON.stringify(index, null, 2)}\n`);
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
    this.#save();
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

  get #progressFile(): string {
    return join(this.#folder, "progress.json");
  }

  #save(): void {
    const progress = { spec: this.#specHash, tokenizer: this.#tokenizerDone, domains: [...this.#domains] };
    writeWhole(this.#progressFile, `${JSON.stringify(progress)}\n`);
  }
}

/** A JSON file's value, or undefined if the file is not there or not as the schema says. */
function readValid<T>(file: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(readBoundedSync(file, 256 << 20).toString("utf8")));
  } catch {
    return undefined;
  }
}
