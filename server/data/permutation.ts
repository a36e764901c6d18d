import { hash } from "node:crypto";

const ROUNDS = 6;

/**
 * A shuffle of 0 to `length` - 1 that needs no memory: a Feistel network over the next power of four, walked until it
 * lands inside (cycle walking; fewer than 4 steps on average).
 */
export class Permutation {
  readonly length: number;
  readonly #half: number;
  readonly #mask: number;
  readonly #keys: Uint32Array;

  /**
   * @param length at most 2^32
   * @param key text that decides the shuffle
   */
  constructor(length: number, key: string) {
    this.length = length;
    this.#half = Math.max(1, Math.ceil(Math.log2(length) / 2));
    this.#mask = 2 ** this.#half - 1;
    const digest = hash("sha256", key, "buffer");
    this.#keys = Uint32Array.from({ length: ROUNDS }, (_, round) => digest.readUInt32LE(4 * round));
  }

  at(index: number): number {
    let value = index;
    do value = this.#encrypt(value);
    while (value >= this.length);
    return value;
  }

  #encrypt(value: number): number {
    let left = Math.floor(value / 2 ** this.#half);
    let right = value & this.#mask;
    for (const key of this.#keys) [left, right] = [right, left ^ (mix(right ^ key) & this.#mask)];
    return left * 2 ** this.#half + right;
  }
}

/** MurmurHash3's finalizer: every bit of the result depends on every bit of the value. */
function mix(value: number): number {
  let x = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
