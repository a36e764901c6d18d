import { readFile } from "node:fs/promises";

/** Entries of a `tokenizer.json`'s vocabulary; undefined when it is none. */
export async function vocabularyOf(file: string): Promise<number | undefined> {
  try {
    const { model, added_tokens: added } = JSON.parse(await readFile(file, "utf8"));
    const base = Array.isArray(model.vocab) ? model.vocab.length : Object.keys(model.vocab).length;
    const highest = Array.isArray(added) ? Math.max(-1, ...added.map((token) => Number(token?.id) || 0)) : -1;
    return Math.max(base, highest + 1);
  } catch {
    return undefined;
  }
}

/** Vocabulary of the tokenizer `bytes`: 256 bytes and the end-of-text token. */
export const byteVocabulary = 257;
