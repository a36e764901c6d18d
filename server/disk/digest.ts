import xxhash from "xxhash-wasm";

/**
 * Digests of what is written to disks: xxHash64 (https://xxhash.com), as 16 hexadecimal digits. They show that bytes
 * changed by accident, as when a disk fails; they do not protect against somebody who changes them on purpose.
 */

const { create64 } = await xxhash();

/** Bytes given to the hash at once: it copies them into memory of its own. */
const pieceBytes = 1 << 20;

/** A digest of bytes that arrive in pieces. */
export class Digest {
  readonly #hash = create64();
  #bytes = 0;

  /** Bytes so far. */
  get bytes(): number {
    return this.#bytes;
  }

  update(bytes: Uint8Array): this {
    for (let start = 0; start < bytes.length; start += pieceBytes)
      this.#hash.update(bytes.subarray(start, start + pieceBytes));
    this.#bytes += bytes.length;
    return this;
  }

  /** The digest of all bytes so far; more may follow. */
  get value(): string {
    return this.#hash.digest().toString(16).padStart(16, "0");
  }
}

/** The digest of bytes. */
export const digestOf = (bytes: Uint8Array): string => new Digest().update(bytes).value;

/** The bytes of a typed array. */
export const bytesOf = (values: ArrayBufferView): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
