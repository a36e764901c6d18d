import { closeSync, fstatSync, readSync } from "node:fs";
import { openRegularSync } from "../disk/open.ts";
import { UserError } from "../protocol/errors.ts";

/** Token ids on disk, read where they are needed. */
export class TokenFile {
  /** Tokens. */
  readonly length: number;
  readonly endOfText: number;
  readonly #path: string;
  readonly #descriptor: number;
  readonly #wide: boolean;
  #scratch = new Uint8Array();
  #open = true;

  /** @throws UserError if the file is not there or has another size than the index says */
  constructor(path: string, expected: { length: number; dtype: "u16" | "u32"; endOfText: number }) {
    this.#path = path;
    this.length = expected.length;
    this.endOfText = expected.endOfText;
    this.#wide = expected.dtype === "u32";
    try {
      this.#descriptor = openRegularSync(path);
    } catch (error) {
      throw new UserError(`cannot read ${path}: ${(error as Error).message}`);
    }
    if (fstatSync(this.#descriptor).size !== this.length * this.#width) {
      this.close();
      throw new UserError(
        `${path} is damaged: its size differs from its index, so delete its data folder and run again`,
      );
    }
  }

  get #width(): number {
    return this.#wide ? 4 : 2;
  }

  /**
   * Reads `count` ids from `offset` on into `into` at position `at` (a new array if absent) and returns it.
   *
   * @throws RangeError beyond the file's end
   */
  read(offset: number, count: number, into: Int32Array = new Int32Array(count), at = 0): Int32Array {
    if (offset < 0 || count < 0 || offset + count > this.length) {
      throw new RangeError(`tokens ${offset} to ${offset + count} of ${this.#path}, which has ${this.length}`);
    }
    const bytes = count * this.#width;
    if (this.#scratch.length < bytes) this.#scratch = new Uint8Array(bytes);
    for (let done = 0; done < bytes; ) {
      const read = readSync(this.#descriptor, this.#scratch, done, bytes - done, offset * this.#width + done);
      if (read === 0) throw new UserError(`${this.#path} was truncated: delete its data folder and run again`);
      done += read;
    }
    const { buffer } = this.#scratch;
    into.set(this.#wide ? new Uint32Array(buffer, 0, count) : new Uint16Array(buffer, 0, count), at);
    return into;
  }

  close(): void {
    if (this.#open) closeSync(this.#descriptor);
    this.#open = false;
  }
}
