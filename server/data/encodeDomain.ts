import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { DataIndex, DomainIndex, SplitIndex } from "../protocol/data.ts";
import { UserError } from "../protocol/errors.ts";
import type { DomainSpec } from "../protocol/stage.ts";
import { problemOf } from "./problems.ts";
import { domainDocuments, placeOf, type Split, type SplitName, splitOf } from "./split.ts";
import { tokenDigestsPath } from "./tokenDigests.ts";
import type { Tokenizer } from "./tokenizers/tokenizer.ts";
import { TokenWriter, WholeFile } from "./write.ts";

/** A domain that was written. */
export interface EncodedDomain {
  index: DomainIndex;
  /** Names of the files by which damage is noticed: token files have files of digests. */
  files: string[];
}

export const dtypeOf = (vocab: number): DataIndex["dtype"] => (vocab <= 65536 ? "u16" : "u32");

/**
 * Writes a domain's `train.tokens` and `heldout.tokens` (each document followed by end-of-text) and, where answers are
 * declared, the held-out problems as `answers.jsonl`, into the folder `folder`.
 *
 * @param visit awaited for each document, with its UTF-8 bytes
 * @throws UserError if answers are declared and no document has one
 */
export async function encodeDomain(
  name: string,
  domain: DomainSpec,
  split: Split,
  tokenizer: Tokenizer,
  folder: string,
  visit: (bytes: number) => Promise<void> = async () => {},
): Promise<EncodedDomain> {
  mkdirSync(folder, { recursive: true });
  const dtype = dtypeOf(tokenizer.vocab);
  const writers: Record<SplitName, TokenWriter> = {
    train: new TokenWriter(join(folder, "train.tokens"), dtype),
    heldout: new TokenWriter(join(folder, "heldout.tokens"), dtype),
  };
  const marker = domain.answerAfter;
  const answers = marker === undefined ? undefined : new WholeFile(join(folder, "answers.jsonl"));
  const index: Record<SplitName, SplitIndex> = {
    train: { tokens: 0, documents: 0, bytes: 0 },
    heldout: { tokens: 0, documents: 0, bytes: 0 },
  };
  const end = Int32Array.of(tokenizer.endOfText);
  let [problems, ofTemplates] = [0, 0];
  let heldOutProblems = 0;
  try {
    for await (const document of domainDocuments(domain, split.cut)) {
      const side = splitOf(placeOf(document.text).place, split);
      const ids = tokenizer.encode(document.text);
      const bytes = Buffer.byteLength(document.text);
      writers[side].write(ids);
      writers[side].write(end);
      index[side].tokens += ids.length + 1;
      index[side].documents++;
      index[side].bytes += bytes;
      if (document.promptEnd !== undefined) ofTemplates++;
      const problem = marker === undefined ? undefined : problemOf(document, marker);
      if (problem) problems++;
      if (problem && side === "heldout") {
        heldOutProblems++;
        answers?.write(Buffer.from(`${JSON.stringify(problem)}\n`));
      }
      await visit(bytes);
    }
    if (marker !== undefined && problems === 0) {
      const place = ofTemplates > 0 ? " in the last field of its template" : "";
      throw new UserError(
        `no document of the domain "${name}" has text after ${JSON.stringify(marker)}${place}: correct or remove \`answerAfter\``,
      );
    }
    writers.train.commit();
    writers.heldout.commit();
    answers?.commit();
  } finally {
    writers.train.discard();
    writers.heldout.discard();
    answers?.discard();
  }
  return {
    index: { ...index, answers: heldOutProblems },
    files: [
      ...["train.tokens", "heldout.tokens"].map(tokenDigestsPath),
      ...(marker === undefined ? [] : ["answers.jsonl"]),
    ],
  };
}
