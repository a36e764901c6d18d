import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readTokenizerFiles, tokenizerOf } from "../data/tokenizers/load.ts";
import { assertInReach } from "../disk/reach.ts";
import { UserError } from "../protocol/errors.ts";

/** Vocabulary of the tokenizer `bytes`: 256 bytes and the end-of-text token. */
export const byteVocabulary = 257;

/** Results for tokenizer files by path, and the state of their files when they were read. */
const known = new Map<string, { state: string; vocab: number | UserError }>();
const maxKnown = 8;

/**
 * Number of tokens of the tokenizer in a file `tokenizer.json`, which is loaded as the data stage loads it. An editor
 * asks at every pause in typing, and a large tokenizer takes a second to load, so the answer is kept until the file
 * changes.
 *
 * @throws UserError naming the file: missing, not a tokenizer, no end-of-text token.
 */
export async function tokenizerVocabulary(file: string): Promise<number> {
  const state = await stateOf([file, join(dirname(file), "tokenizer_config.json")]);
  let found = known.get(file);
  if (found?.state !== state) {
    found = { state, vocab: await vocabularyIn(file) };
    known.delete(file);
    known.set(file, found);
    for (const oldest of known.keys()) if (known.size > maxKnown) known.delete(oldest);
  }
  if (found.vocab instanceof UserError) throw found.vocab;
  return found.vocab;
}

async function vocabularyIn(file: string): Promise<number | UserError> {
  try {
    return tokenizerOf(await readTokenizerFiles(file), file).vocab;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

/** Differs after any change to one of the files. @throws UserError for one that may not be read. */
async function stateOf(files: string[]): Promise<string> {
  for (const file of files) await assertInReach(file);
  const states = files.map((file) =>
    stat(file, { bigint: true }).then(
      ({ dev, ino, size, mtimeNs }) => `${dev}:${ino}:${size}:${mtimeNs}`,
      () => "none",
    ),
  );
  return (await Promise.all(states)).join(" ");
}
