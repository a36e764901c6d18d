import { BYTE_TO_CHARACTER, BYTES_BY_CHARACTER } from "./byteAlphabet.ts";
import { Heap } from "./heap.ts";

/** A pair of neighbouring symbols, left * 2^26 + right, and how often it occurs. */
interface Pair {
  left: number;
  right: number;
  count: number;
}

/** Work waiting: a pair, its count when it was queued, and places where it was seen. */
interface Candidate {
  pair: Pair;
  count: number;
  places: number[];
}

const IDS = 2 ** 26;
/** Slot between two words, and slot inside a symbol. */
const NONE = -(2 ** 31);

/**
 * Merges of byte-level byte pair encoding, in order (Sennrich et al. 2016; GPT-2 §2.2): of all pairs of neighbouring
 * symbols within words, the most frequent is merged, of equals the one with the smallest ids, until there are
 * `merges` of them or no pair is left. The alphabet is all 256 bytes by their characters' code points. The same as the
 * native `tokenizers` package's BpeTrainer on the same words, ids apart.
 *
 * Words lie one after another in slots, one a byte: a symbol's first slot holds its id, its last slot ~(its first slot)
 * if it spans several. So neighbours are found without links, and each merge touches only the places it changes.
 *
 * @param counts word to how often it occurs
 * @param pause awaited every few hundred merges
 */
export async function trainBpe(
  counts: ReadonlyMap<string, number>,
  merges: number,
  pause: () => Promise<void> = async () => {},
): Promise<[string, string][]> {
  const { slots, weights } = layOut(counts);
  const tokens = BYTES_BY_CHARACTER.map((byte) => BYTE_TO_CHARACTER[byte]!);
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const pairs = new Map<number, Pair>();
  const result: [string, string][] = [];

  const pairOf = (left: number, right: number): Pair => {
    const key = left * IDS + right;
    let pair = pairs.get(key);
    if (!pair) {
      pair = { left, right, count: 0 };
      pairs.set(key, pair);
    }
    return pair;
  };
  let found = new Map<Pair, number[]>();
  const add = (left: number, right: number, place: number) => {
    const pair = pairOf(left, right);
    pair.count += weights[place]!;
    const places = found.get(pair);
    if (places) places.push(place);
    else found.set(pair, [place]);
  };
  const queue = new Heap<Candidate>((a, b) =>
    a.count !== b.count
      ? a.count > b.count
      : a.pair.left !== b.pair.left
        ? a.pair.left < b.pair.left
        : a.pair.right < b.pair.right,
  );
  const enqueue = () => {
    for (const [pair, places] of found) if (pair.count > 0) queue.push({ pair, count: pair.count, places });
    found = new Map();
  };

  for (let i = 1; i + 1 < slots.length; i++) {
    if (slots[i] !== NONE && slots[i + 1] !== NONE) add(slots[i]!, slots[i + 1]!, i);
  }
  enqueue();
  for (let top = queue.pop(); top !== undefined && result.length < merges; top = queue.pop()) {
    const { pair, places } = top;
    if (top.count !== pair.count) {
      if (pair.count > 0) queue.push({ ...top, count: pair.count });
      continue;
    }
    const { left, right } = pair;
    const token = tokens[left]! + tokens[right]!;
    const id = ids.get(token) ?? tokens.push(token) - 1;
    ids.set(token, id);
    result.push([tokens[left]!, tokens[right]!]);
    const leftSpan = tokens[left]!.length;
    const span = token.length;
    if (left === right) places.sort((a, b) => a - b);
    for (const place of places) {
      const second = place + leftSpan;
      if (slots[place] !== left || slots[second] !== right) continue;
      const before = slots[place - 1]!;
      if (before !== NONE) {
        const start = before < 0 ? ~before : place - 1;
        pairOf(slots[start]!, left).count -= weights[place]!;
        add(slots[start]!, id, start);
      }
      const after = place + span;
      if (slots[after] !== NONE) {
        pairOf(right, slots[after]!).count -= weights[place]!;
        add(id, slots[after]!, place);
      }
      slots[second] = NONE;
      slots[after - 1] = ~place;
      slots[place] = id;
    }
    enqueue();
    if (result.length % 256 === 0) await pause();
  }
  return result;
}

/** Words as ids of bytes, one a slot, NONE before, between and after them; and each slot's word's count. */
function layOut(counts: ReadonlyMap<string, number>): { slots: Int32Array; weights: Int32Array } {
  const idOfByte = new Int32Array(256);
  for (const [id, byte] of BYTES_BY_CHARACTER.entries()) idOfByte[byte] = id;
  let length = 1;
  for (const word of counts.keys()) length += Buffer.byteLength(word) + 1;
  const slots = new Int32Array(length).fill(NONE);
  const weights = new Int32Array(length);
  let at = 1;
  for (const [word, count] of counts) {
    for (const byte of Buffer.from(word)) {
      weights[at] = count;
      slots[at++] = idOfByte[byte]!;
    }
    at++;
  }
  return { slots, weights };
}
