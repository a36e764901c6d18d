import { BYTE_TO_CHARACTER, tokenBytes } from "./byteAlphabet.ts";
import { Heap } from "./heap.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface ByteLevelBpe {
  /** Token, in the byte alphabet, to id; special tokens may be among them. */
  vocab: ReadonlyMap<string, number>;
  /** Pairs of tokens in the order in which they are merged. */
  merges: readonly (readonly [string, string])[];
  /** Special token to id. */
  special: ReadonlyMap<string, number>;
  endOfText: number;
  /** Words, which no merge crosses; has the flags g and u. */
  pattern: RegExp;
  /** A word that is a token is not split (Llama 3). */
  ignoreMerges?: boolean | undefined;
  /** Unicode normal form the text is brought into first. */
  normalForm?: "NFC" | undefined;
}

/** Words kept with their ids, and the longest such word. */
const CACHE_WORDS = 200_000;
const CACHE_LONGEST = 48;
/** Symbols from which a word is merged with a heap, not by looking for the best pair again and again. */
const HEAP_FROM = 48;
/** Positions in a heap's key; a document's word is shorter. */
const POSITIONS = 2 ** 30;

/** Byte-level byte pair encoding (GPT-2 §2.2), with the ids of words seen before kept. */
export class ByteLevelTokenizer implements Tokenizer {
  readonly vocab: number;
  readonly endOfText: number;
  readonly #pattern: RegExp;
  readonly #normalForm: "NFC" | undefined;
  /** Whole tokens, by their bytes as Latin-1 text; only for `ignoreMerges`. */
  readonly #whole: ReadonlyMap<string, number> | undefined;
  readonly #byteId = new Int32Array(256);
  /** left * vocab + right to rank, and rank to the merged id. */
  readonly #rank = new Map<number, number>();
  readonly #merged: Int32Array;
  /** Bytes by id; special ids have none. */
  readonly #bytes: (readonly number[])[];
  readonly #cache = new Map<string, number[]>();
  #out = new Int32Array(1024);

  /** @throws Error if the vocabulary lacks a byte or a merge's tokens. */
  constructor(bpe: ByteLevelBpe) {
    this.vocab = Math.max(largest(bpe.vocab.values()), largest(bpe.special.values())) + 1;
    this.endOfText = bpe.endOfText;
    this.#pattern = new RegExp(bpe.pattern);
    this.#normalForm = bpe.normalForm;
    const special = new Set(bpe.special.values());
    this.#bytes = new Array<readonly number[]>(this.vocab).fill([]);
    for (const [token, id] of bpe.vocab) {
      if (!special.has(id)) this.#bytes[id] = tokenBytes(token) ?? [...Buffer.from(token)];
    }
    if (bpe.ignoreMerges) {
      this.#whole = new Map(this.#bytes.map((bytes, id) => [Buffer.from(bytes).toString("latin1"), id]));
    }
    for (let byte = 0; byte < 256; byte++) this.#byteId[byte] = idOf(bpe.vocab, BYTE_TO_CHARACTER[byte]!);
    this.#merged = Int32Array.from(bpe.merges, ([left, right]) => idOf(bpe.vocab, left + right));
    for (const [rank, [left, right]] of bpe.merges.entries()) {
      const key = idOf(bpe.vocab, left) * this.vocab + idOf(bpe.vocab, right);
      if (!this.#rank.has(key)) this.#rank.set(key, rank);
    }
  }

  encode(text: string): Int32Array {
    const normal = this.#normalForm ? text.normalize(this.#normalForm) : text;
    let out = this.#out;
    let length = 0;
    for (const word of words(normal, this.#pattern)) {
      const ids = this.#cache.get(word) ?? this.#encodeWord(word);
      if (length + ids.length > out.length) {
        out = new Int32Array(2 * (length + ids.length));
        out.set(this.#out.subarray(0, length));
        this.#out = out;
      }
      for (let i = 0; i < ids.length; i++) out[length++] = ids[i]!;
    }
    return out.slice(0, length);
  }

  decode(ids: ArrayLike<number>): string {
    return Buffer.from(Array.from(ids).flatMap((id) => this.#bytes[id] ?? [])).toString("utf8");
  }

  byteLength(id: number): number {
    return this.#bytes[id]?.length ?? 0;
  }

  #encodeWord(word: string): number[] {
    const bytes = Buffer.from(word);
    const whole = this.#whole?.get(bytes.toString("latin1"));
    const ids: number[] = whole !== undefined ? [whole] : Array.from(bytes, (byte) => this.#byteId[byte]!);
    if (ids.length >= HEAP_FROM) this.#mergeLong(ids);
    else this.#mergeShort(ids);
    if (word.length <= CACHE_LONGEST) {
      if (this.#cache.size >= CACHE_WORDS) this.#cache.clear();
      // A copy, since a word cut out of a document would keep the whole document in memory.
      this.#cache.set(bytes.toString("utf8"), ids);
    }
    return ids;
  }

  /** Merges in place: the pair of lowest rank first, the leftmost of equals. */
  #mergeShort(ids: number[]): void {
    for (;;) {
      let best = Infinity;
      let at = -1;
      for (let i = 0; i + 1 < ids.length; i++) {
        const rank = this.#rank.get(ids[i]! * this.vocab + ids[i + 1]!);
        if (rank !== undefined && rank < best) {
          best = rank;
          at = i;
        }
      }
      if (at < 0) return;
      ids[at] = this.#merged[best]!;
      ids.splice(at + 1, 1);
    }
  }

  /** The same in O(n log n): a heap of rank and position, and links from each symbol to its neighbours. */
  #mergeLong(ids: number[]): void {
    const next = Int32Array.from(ids, (_, i) => i + 1);
    const previous = Int32Array.from(ids, (_, i) => i - 1);
    const queue = new Heap<number>((a, b) => a < b);
    const rankAt = (i: number): number | undefined =>
      i >= 0 && next[i]! < ids.length ? this.#rank.get(ids[i]! * this.vocab + ids[next[i]!]!) : undefined;
    const offer = (i: number) => {
      const rank = rankAt(i);
      if (rank !== undefined) queue.push(rank * POSITIONS + i);
    };
    for (let i = 0; i < ids.length; i++) offer(i);
    for (let top = queue.pop(); top !== undefined; top = queue.pop()) {
      const at = top % POSITIONS;
      const rank = (top - at) / POSITIONS;
      if (ids[at]! < 0 || rankAt(at) !== rank) continue;
      const gone = next[at]!;
      ids[at] = this.#merged[rank]!;
      ids[gone] = -1;
      next[at] = next[gone]!;
      if (next[gone]! < ids.length) previous[next[gone]!] = at;
      offer(previous[at]!);
      offer(at);
    }
    let kept = 0;
    for (const id of ids) if (id >= 0) ids[kept++] = id;
    ids.length = kept;
  }
}

/** A text cut at the pattern's matches; what lies between two matches is a word too. */
function words(text: string, pattern: RegExp): string[] {
  const matches = text.match(pattern) ?? [];
  let matched = 0;
  for (const match of matches) matched += match.length;
  if (matched === text.length) return matches;
  const all: string[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    all.push(text.slice(end, match.index), match[0]);
    end = match.index + match[0].length;
  }
  all.push(text.slice(end));
  return all.filter((word) => word !== "");
}

function largest(ids: Iterable<number>): number {
  let max = 0;
  for (const id of ids) if (id > max) max = id;
  return max;
}

function idOf(vocab: ReadonlyMap<string, number>, token: string): number {
  const id = vocab.get(token);
  if (id === undefined) throw new Error(`the vocabulary lacks the token ${JSON.stringify(token)}`);
  return id;
}
