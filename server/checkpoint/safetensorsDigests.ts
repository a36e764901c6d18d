import { DamagedError } from "../disk/damaged.ts";
import { digestOf } from "../disk/digest.ts";

/**
 * Digests in the metadata of a safetensors file, which other programs pass over:
 * - `btx.header`, the first key: of the header, its length included, with this digest as zeros;
 * - `btx.digests`: JSON, the digest of each tensor's bytes by the tensor's name.
 */

export const headerKey = "btx.header";
export const digestsKey = "btx.digests";
/** Stands for the header's digest while that is computed. */
export const noDigest = "0".repeat(16);

const beforeDigest = `{"__metadata__":{"${headerKey}":"`;
/** Where the header's digest begins, from the start of the file. */
export const headerDigestStart = 8 + beforeDigest.length;
const headerDigestEnd = headerDigestStart + noDigest.length;

/** The digest of a header, from its first byte of length on. */
export function headerDigestOf(header: Uint8Array): string {
  const bytes = Buffer.from(header);
  bytes.write(noDigest, headerDigestStart);
  return digestOf(bytes);
}

/** The digest that a header contains; undefined for a file of another program or of an older version. */
const headerDigestIn = (header: Buffer): string | undefined =>
  header.toString("latin1", 8, headerDigestStart) === beforeDigest
    ? header.toString("latin1", headerDigestStart, headerDigestEnd)
    : undefined;

/** Checks a header, from its first byte of length on, if it has a digest. @throws DamagedError */
export function checkHeader(path: string, header: Buffer): void {
  const expected = headerDigestIn(header);
  const begins = header.toString("latin1", 8, headerDigestEnd);
  if (expected === undefined ? begins.includes(headerKey) : headerDigestOf(header) !== expected)
    throw new DamagedError(path, "its header has changed since it was written");
}

/**
 * Takes the digests out of a file's metadata: those of its tensors by name, none for a file without digests.
 *
 * @throws DamagedError
 */
export function takeDigests(path: string, header: Buffer, metadata: Map<string, string>): ReadonlyMap<string, string> {
  const text = metadata.get(digestsKey);
  metadata.delete(headerKey);
  metadata.delete(digestsKey);
  const hasHeaderDigest = headerDigestIn(header) !== undefined;
  // The digests are written together, so a file with only one of them was changed.
  if (hasHeaderDigest !== (text !== undefined)) throw new DamagedError(path, "a digest is missing from its header");
  if (text === undefined) return new Map();
  try {
    return new Map(Object.entries(JSON.parse(text) as Record<string, string>));
  } catch {
    throw new DamagedError(path, "the digests in its header are not valid JSON");
  }
}
