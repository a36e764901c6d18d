/** Text to token ids and back. Ids are 0 to `vocab` - 1. */
export interface Tokenizer {
  /** Ids (V), special tokens included. */
  readonly vocab: number;
  /** Id that ends a document. */
  readonly endOfText: number;
  /** Ids of a text. A special token's name in the text is plain text; no special id is ever among them. */
  encode(text: string): Int32Array;
  /** Text of ids; special ids have no text, and invalid UTF-8 becomes U+FFFD. */
  decode(ids: ArrayLike<number>): string;
  /** UTF-8 bytes of text that an id stands for; 0 for special ids. */
  byteLength(id: number): number;
}
