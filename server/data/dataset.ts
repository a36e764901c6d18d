import { join } from "node:path";
import { diskError, hasCode } from "../disk/errors.ts";
import { parseLine, splitLines } from "../disk/lines.ts";
import { readBoundedSync } from "../disk/open.ts";
import { parseSealed } from "../disk/seal.ts";
import { type DataIndex, dataIndexSchema, type Problem, problemSchema } from "../protocol/data.ts";
import { UserError } from "../protocol/errors.ts";
import type { SplitName } from "./split.ts";
import { TokenFile } from "./tokenFile.ts";
import { loadTokenizer } from "./tokenizers/load.ts";
import type { Tokenizer } from "./tokenizers/tokenizer.ts";

/** A data folder finished by `prepareData`. */
export interface Data {
  readonly index: DataIndex;
  readonly tokenizer: Tokenizer;
  /** Training or held-out tokens of a domain; the same object each time. */
  split(domain: string, split: SplitName): TokenFile;
  /** Held-out problems of a domain; empty if it has no `answerAfter`. */
  answers(domain: string): Problem[];
  close(): void;
}

/** @throws UserError if the folder is not a finished data folder */
export async function openData(folder: string): Promise<Data> {
  const path = join(folder, "index.json");
  const index = parseSealed(readIndex(path), dataIndexSchema, path);
  const tokenizer = await loadTokenizer(folder);
  const open = new Map<string, TokenFile>();
  const domainIndex = (domain: string) => {
    if (!Object.hasOwn(index.domains, domain)) throw new UserError(`${folder} has no data of the domain "${domain}"`);
    return index.domains[domain]!;
  };
  return {
    index,
    tokenizer,
    split(domain, split) {
      const key = `${domain}/${split}`;
      const known = open.get(key);
      if (known) return known;
      const { dtype, endOfText, vocab } = index;
      const length = domainIndex(domain)[split].tokens;
      const file = new TokenFile(join(folder, domain, `${split}.tokens`), { length, dtype, endOfText, vocab });
      open.set(key, file);
      return file;
    },
    answers(domain) {
      if (domainIndex(domain).answers === 0) return [];
      const file = join(folder, domain, "answers.jsonl");
      const lines = [...splitLines(readProblems(file))];
      return lines.map(({ text }, i) => parseLine(text, problemSchema, file, i + 1));
    },
    close() {
      for (const file of open.values()) file.close();
      open.clear();
    },
  };
}

function readIndex(path: string): string {
  try {
    return readBoundedSync(path, 16 << 20).toString("utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR"))
      throw new UserError(`the index of the data, ${path}, does not exist: resume the run`);
    throw diskError(error, path, "read");
  }
}

function readProblems(file: string): Buffer {
  try {
    return readBoundedSync(file, 2 ** 32);
  } catch (error) {
    throw new UserError(`cannot read the problems ${file}: ${(error as Error).message}`);
  }
}
