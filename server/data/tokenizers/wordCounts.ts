import { GPT2_PATTERN } from "./byteAlphabet.ts";

/** How often each word of GPT-2's pattern occurs in the texts added: all that training byte pair encoding needs. */
export class WordCounts {
  readonly counts = new Map<string, number>();
  readonly #pattern = new RegExp(GPT2_PATTERN);

  /** Counts line by line, line ends included, as the native tokenizers read files. */
  add(text: string): void {
    for (let start = 0; start < text.length; ) {
      const end = text.indexOf("\n", start) + 1 || text.length;
      for (const word of text.slice(start, end).match(this.#pattern) ?? []) this.#count(word);
      start = end;
    }
  }

  #count(word: string): void {
    const count = this.counts.get(word);
    if (count !== undefined) {
      this.counts.set(word, count + 1);
      return;
    }
    // A copy, since a word cut out of a document would keep the whole document in memory.
    const copy = Buffer.from(word).toString("utf8");
    this.counts.set(copy, (this.counts.get(copy) ?? 0) + 1);
  }
}
