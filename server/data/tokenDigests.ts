import { DamagedError, hasChanged } from "../disk/damaged.ts";
import { Digest, digestOf } from "../disk/digest.ts";
import { hasCode } from "../disk/errors.ts";
import { readBoundedSync } from "../disk/open.ts";

/**
 * Digests of a token file, block by block, so that any part can be checked by itself: `<file>.digests` holds 8 bytes
 * (big-endian) for each block of 64 KiB, and at its end 8 bytes more, the digest of all bytes before.
 */

export const blockBytes = 64 << 10;
const digestBytes = 8;
/** Digests of a token file of 8 TiB. */
const maxBytes = 1 << 30;

export const tokenDigestsPath = (tokenFile: string): string => `${tokenFile}.digests`;

/** Collects the digests of a token file that is being written. */
export class BlockDigests {
  readonly #digests: Buffer[] = [];
  #block = new Digest();

  update(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const part = bytes.subarray(done, done + blockBytes - this.#block.bytes);
      this.#block.update(part);
      done += part.length;
      if (this.#block.bytes === blockBytes) this.#endBlock();
    }
  }

  /** The content of the file of digests. */
  finish(): Buffer {
    if (this.#block.bytes > 0) this.#endBlock();
    const all = Buffer.concat(this.#digests);
    return Buffer.concat([all, Buffer.from(digestOf(all), "hex")]);
  }

  #endBlock(): void {
    this.#digests.push(Buffer.from(this.#block.value, "hex"));
    this.#block = new Digest();
  }
}

/**
 * The digests of a token file of `bytes` bytes, one a block; undefined if it has none, as in older versions.
 *
 * @throws DamagedError
 */
export function readTokenDigests(tokenFile: string, bytes: number): string[] | undefined {
  const path = tokenDigestsPath(tokenFile);
  let content: Buffer;
  try {
    content = readBoundedSync(path, maxBytes);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
  const end = Math.ceil(bytes / blockBytes) * digestBytes;
  if (content.length !== end + digestBytes || digestOf(content.subarray(0, end)) !== content.toString("hex", end))
    throw new DamagedError(path, hasChanged);
  return Array.from({ length: end / digestBytes }, (_, block) =>
    content.toString("hex", block * digestBytes, (block + 1) * digestBytes),
  );
}
