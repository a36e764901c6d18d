import { decodeUtf8 } from "./bytes.ts";

/** Longest document, in bytes of a text file or in UTF-16 units of a record: longer ones are cut. */
export const LONGEST_DOCUMENT = 1 << 20;

/**
 * Documents of a text file: the file, or, if it is longer than 1 MiB, pieces of at most 1 MiB that end at the last
 * line end that fits, or at a character's end where a single line is longer. Joined, the pieces are the file.
 */
export async function* textDocuments(file: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const pending = Buffer.allocUnsafe(LONGEST_DOCUMENT);
  let filled = 0;
  let offset = 0;
  for await (const chunk of chunks) {
    for (let read = 0; read < chunk.length; ) {
      if (filled === pending.length) {
        const end = lastLineEnd(pending) || lastCharacterEnd(pending);
        yield decodeUtf8(pending.subarray(0, end), file, offset);
        pending.copyWithin(0, end);
        filled -= end;
        offset += end;
      }
      const copied = chunk.copy(pending, filled, read);
      filled += copied;
      read += copied;
    }
  }
  if (filled > 0) yield decodeUtf8(pending.subarray(0, filled), file, offset);
}

const lastLineEnd = (bytes: Buffer): number => bytes.lastIndexOf(0x0a) + 1;

function lastCharacterEnd(bytes: Buffer): number {
  let start = bytes.length - 1;
  while (start > bytes.length - 4 && (bytes[start]! & 0xc0) === 0x80) start--;
  const lead = bytes[start]!;
  const width = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return start + width <= bytes.length ? bytes.length : start;
}

/**
 * Text in pieces of at most `limit` UTF-16 units that joined are the text: cut after the last blank line in the second
 * half of a piece, else after the last line end, else at a character's end.
 */
export function* cutText(text: string, limit: number): Generator<string> {
  let start = 0;
  while (text.length - start > limit) {
    const window = text.slice(start, start + limit);
    const paragraph = window.lastIndexOf("\n\n") + 2;
    const line = window.lastIndexOf("\n") + 1;
    const end = paragraph > limit / 2 ? paragraph : line > 0 ? line : wholeCharacters(window);
    yield window.slice(0, end);
    start += end;
  }
  if (start < text.length) yield start === 0 ? text : text.slice(start);
}

function wholeCharacters(text: string): number {
  const last = text.charCodeAt(text.length - 1);
  return text.length > 1 && last >= 0xd800 && last < 0xdc00 ? text.length - 1 : text.length;
}
