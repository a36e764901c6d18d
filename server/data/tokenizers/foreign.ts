import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { UserError } from "../../protocol/errors.ts";
import { tokenBytes } from "./byteAlphabet.ts";
import { broken, type ParsedTokenizer } from "./parse.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * Any other `tokenizer.json`, through `@huggingface/tokenizers` (about 0.9 MB/s). It is made twice: the one that
 * encodes does not know the special tokens, so that their names in a text stay text.
 */
export class ForeignTokenizer implements Tokenizer {
  readonly vocab: number;
  readonly endOfText: number;
  readonly #endOfTextName: string;
  readonly #encoder: HuggingFaceTokenizer;
  readonly #decoder: HuggingFaceTokenizer;
  readonly #special: ReadonlySet<number>;
  readonly #lengths: Uint32Array;
  readonly #path: string;

  constructor(parsed: ParsedTokenizer, path: string) {
    this.#path = path;
    this.endOfText = parsed.endOfText;
    this.#endOfTextName = parsed.endOfTextName;
    this.#special = new Set(parsed.special.values());
    let largest = 0;
    for (const id of parsed.ids.values()) if (id > largest) largest = id;
    this.vocab = largest + 1;
    const added = (parsed.json.added_tokens ?? []) as { content: string }[];
    const plain = added.filter((token) => !parsed.special.has(token.content));
    try {
      this.#decoder = new HuggingFaceTokenizer(parsed.json, parsed.config);
      this.#encoder = new HuggingFaceTokenizer({ ...parsed.json, added_tokens: plain }, parsed.config);
    } catch (error) {
      throw broken(path, (error as Error).message);
    }
    this.#lengths = new Uint32Array(this.vocab);
    const byteLevel = JSON.stringify(parsed.json.decoder ?? null).includes('"ByteLevel"');
    for (const [token, id] of parsed.ids) if (!this.#special.has(id)) this.#lengths[id] = lengthOf(token, byteLevel);
  }

  /** @throws UserError for text that the vocabulary cannot write */
  encode(text: string): Int32Array {
    const ids = this.#ids(text);
    if (!ids.includes(this.endOfText)) return ids;
    // A model may know the token's name as a piece of its own: two halves of the name are no name.
    const parts = text.split(this.#endOfTextName);
    const half = Math.ceil(this.#endOfTextName.length / 2);
    const pieces = parts.map(
      (part, i) =>
        (i > 0 ? this.#endOfTextName.slice(half) : "") +
        part +
        (i < parts.length - 1 ? this.#endOfTextName.slice(0, half) : ""),
    );
    return Int32Array.from(pieces.flatMap((piece) => Array.from(this.#ids(piece))));
  }

  #ids(text: string): Int32Array {
    if (text === "") return new Int32Array();
    const { ids } = this.#encoder.encode(text, { add_special_tokens: false });
    return Int32Array.from(ids, (id) => {
      if (Number.isInteger(id) && id >= 0 && id < this.vocab) return id;
      throw new UserError(
        `${this.#path} cannot encode ${JSON.stringify(text.slice(0, 60))}, because it has no unknown token`,
      );
    });
  }

  decode(ids: ArrayLike<number>): string {
    const kept = Array.from(ids).filter((id) => !this.#special.has(id));
    return kept.length === 0 ? "" : this.#decoder.decode(kept, { clean_up_tokenization_spaces: false });
  }

  /** Exact for byte-level and byte-fallback tokens; for others that of the token as written, "▁" being a space. */
  byteLength(id: number): number {
    return this.#lengths[id] ?? 0;
  }
}

function lengthOf(token: string, byteLevel: boolean): number {
  if (byteLevel) return tokenBytes(token)?.length ?? Buffer.byteLength(token);
  if (/^<0x[0-9A-F]{2}>$/.test(token)) return 1;
  return Buffer.byteLength(token.replaceAll("▁", " ").replace(/^##/, ""));
}
