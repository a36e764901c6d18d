import { closeSync, fstatSync, readSync } from "node:fs";
import { DamagedError } from "../disk/damaged.ts";
import { digestOf } from "../disk/digest.ts";
import { hasCode, withDiskErrorsSync } from "../disk/errors.ts";
import { openRegularSync } from "../disk/open.ts";
import { blockBytes, readTokenDigests } from "./tokenDigests.ts";

/** What a data folder's index says about its token files. */
export interface TokenFileForm {
  /** Tokens. */
  length: number;
  dtype: "u16" | "u32";
  endOfText: number;
  /** All ids are below it. */
  vocab: number;
}

/**
 * Token ids on disk, read where they are needed. A block is compared with its digest, if it has one, when it is first
 * read.
 */
export class TokenFile {
  /** Tokens. */
  readonly length: number;
  readonly endOfText: number;
  readonly #path: string;
  readonly #descriptor: number;
  readonly #wide: boolean;
  readonly #vocab: number;
  /** One a block; undefined in data of older versions. */
  readonly #digests: readonly string[] | undefined;
  /** By block: 1 once it was checked. */
  readonly #checked: Uint8Array;
  #scratch = new Uint8Array();
  #open = true;

  /** @throws DamagedError if the file is missing or has another size than its index says. */
  constructor(path: string, { length, dtype, endOfText, vocab }: TokenFileForm) {
    this.#path = path;
    this.length = length;
    this.endOfText = endOfText;
    this.#wide = dtype === "u32";
    this.#vocab = vocab;
    this.#descriptor = openedFile(path);
    try {
      const { size } = fstatSync(this.#descriptor);
      if (size !== this.#bytes) throw new DamagedError(path, `it has ${size} bytes, but its index says ${this.#bytes}`);
      this.#digests = readTokenDigests(path, size);
      this.#checked = new Uint8Array(this.#digests?.length ?? 0);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Whether the file has digests. */
  get hasDigests(): boolean {
    return this.#digests !== undefined;
  }

  get #width(): number {
    return this.#wide ? 4 : 2;
  }

  get #bytes(): number {
    return this.length * this.#width;
  }

  /**
   * Reads `count` ids from `offset` on into `into` at position `at` (a new array if absent) and returns it.
   *
   * @throws RangeError beyond the file's end; DamagedError for a block that has changed, or an id beyond the vocabulary.
   */
  read(offset: number, count: number, into: Int32Array = new Int32Array(count), at = 0): Int32Array {
    if (offset < 0 || count < 0 || offset + count > this.length) {
      throw new RangeError(`tokens ${offset} to ${offset + count} of ${this.#path}, which has ${this.length}`);
    }
    const bytes = count * this.#width;
    this.#check(offset * this.#width, bytes);
    const { buffer } = this.#read(offset * this.#width, bytes);
    const ids = this.#wide ? new Uint32Array(buffer, 0, count) : new Uint16Array(buffer, 0, count);
    for (const id of ids)
      if (id >= this.#vocab)
        throw new DamagedError(this.#path, `it contains token ${id}, but the vocabulary has ${this.#vocab} tokens`);
    into.set(ids, at);
    return into;
  }

  close(): void {
    if (this.#open) closeSync(this.#descriptor);
    this.#open = false;
  }

  /** Compares the blocks that these bytes lie in with their digests, each once. */
  #check(start: number, bytes: number): void {
    if (!this.#digests) return;
    const end = Math.ceil((start + bytes) / blockBytes);
    for (let block = Math.floor(start / blockBytes); block < end; block++) {
      if (this.#checked[block]) continue;
      const first = block * blockBytes;
      if (digestOf(this.#read(first, Math.min(blockBytes, this.#bytes - first))) !== this.#digests[block])
        throw new DamagedError(this.#path, `bytes ${first} and the following have changed since they were written`);
      this.#checked[block] = 1;
    }
  }

  /** Valid until the next call. */
  #read(start: number, bytes: number): Uint8Array<ArrayBuffer> {
    if (this.#scratch.length < bytes) this.#scratch = new Uint8Array(bytes);
    for (let done = 0; done < bytes; ) {
      const read = withDiskErrorsSync(
        this.#path,
        () => readSync(this.#descriptor, this.#scratch, done, bytes - done, start + done),
        "read",
      );
      if (read === 0) throw new DamagedError(this.#path, "it became shorter while it was read");
      done += read;
    }
    return this.#scratch.subarray(0, bytes);
  }
}

function openedFile(path: string): number {
  try {
    return openRegularSync(path);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) throw new DamagedError(path, "it is missing");
    throw error;
  }
}
