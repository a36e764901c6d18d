import { isUtf8 } from "node:buffer";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { diskError } from "../../disk/errors.ts";
import { openExisting } from "../../disk/open.ts";
import { UserError } from "../../protocol/errors.ts";

/**
 * A file's bytes in chunks; those of a `.gz` unpacked.
 *
 * @throws UserError for a file that is empty, cannot be read, or is named .gz and is not a whole gzip file.
 */
export async function* readBytes(file: string): AsyncGenerator<Buffer> {
  const source = (await openExisting(file)).createReadStream({ highWaterMark: 256 << 10 });
  const packed = /\.gz$/i.test(file);
  const stream = packed ? pipeline(source, createGunzip({ chunkSize: 256 << 10 }), () => {}) : source;
  let empty = true;
  try {
    for await (const chunk of stream) {
      if ((chunk as Buffer).length === 0) continue;
      empty = false;
      yield chunk as Buffer;
    }
  } catch (error) {
    throw unreadable(file, error);
  } finally {
    source.destroy();
  }
  if (empty) throw new UserError(`${file} is empty: remove it, or exclude it with a pattern that begins with "!"`);
}

function unreadable(file: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "Z_BUF_ERROR") return new UserError(`${file} is a truncated gzip file: download or compress it again`);
  if (code?.startsWith("Z_"))
    return new UserError(`${file} is not a gzip file (${message}): rename or compress it again`);
  return diskError(error, file, "read");
}

/**
 * UTF-8 bytes as text; a byte-order mark at the file's beginning is dropped.
 *
 * @param offset where the bytes lie in the file (unpacked), for the error
 * @throws UserError for NUL bytes (a binary file) and for bytes that are not UTF-8.
 */
export function decodeUtf8(bytes: Buffer, file: string, offset: number): string {
  if (offset === 0 && bytes.length > 1 && (bytes.readUInt16LE() === 0xfeff || bytes.readUInt16LE() === 0xfffe)) {
    throw new UserError(`${file} is UTF-16 text: save it as UTF-8`);
  }
  const nul = bytes.indexOf(0);
  if (nul >= 0) {
    throw new UserError(
      `${file} is a binary file (NUL at byte ${offset + nul}): exclude it, because only text can be read`,
    );
  }
  if (!isUtf8(bytes)) {
    const at = offset + validPrefix(bytes);
    throw new UserError(`${file} is not valid UTF-8 at byte ${at}: save it as UTF-8 or exclude it`);
  }
  const text = bytes.toString("utf8");
  return offset === 0 && text.startsWith("\ufeff") ? text.slice(1) : text;
}

/** Bytes before the first character that is not UTF-8. */
function validPrefix(bytes: Buffer): number {
  let low = 0;
  let high = bytes.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (canBegin(bytes.subarray(0, middle))) low = middle;
    else high = middle - 1;
  }
  for (let lead = low - 1; lead >= Math.max(0, low - 3); lead--) {
    if (isUtf8(bytes.subarray(lead, low))) break;
    if (bytes[lead]! >= 0xc0) return lead;
  }
  return low;
}

function canBegin(prefix: Buffer): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(prefix, { stream: true });
    return true;
  } catch {
    return false;
  }
}
