import type { FileHandle } from "node:fs/promises";
import { hasCode } from "./errors.ts";
import { splitLines } from "./lines.ts";
import { openRegular } from "./open.ts";

export interface Tail {
  /** Lines written since, complete, without line ends. */
  lines: string[];
  /** Offset to continue from. */
  offset: number;
  /** True if the file was truncated before `fromOffset` (a stage was resumed): `lines` then starts at its beginning. */
  restarted: boolean;
}

/**
 * The complete lines after `fromOffset` (0, or the `offset` of the last call). A file that does not exist yet is empty.
 *
 * A file that was truncated and has grown past `fromOffset` since the last call may look as if it only grew, so a
 * reader of metrics drops its values from step s on when it meets step s again.
 */
export async function tailJsonLines(path: string, fromOffset: number): Promise<Tail> {
  const handle = await openRegular(path).catch((error: unknown) => {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  });
  if (!handle) return { lines: [], offset: 0, restarted: fromOffset > 0 };
  try {
    const { size } = await handle.stat();
    // The byte before the offset is a line end unless the file has been replaced.
    const restarted = fromOffset > 0 && (size < fromOffset || (await byteAt(handle, fromOffset - 1)) !== 0x0a);
    const start = restarted ? 0 : fromOffset;
    const bytes = Buffer.alloc(size - start);
    let read = 0;
    while (read < bytes.length) {
      const { bytesRead } = await handle.read(bytes, read, Math.min(bytes.length - read, 1 << 30), start + read);
      if (bytesRead === 0) break;
      read += bytesRead;
    }
    const lines: string[] = [];
    let end = 0;
    for (const line of splitLines(bytes.subarray(0, read))) {
      lines.push(line.text);
      end = line.end;
    }
    return { lines, offset: start + end, restarted };
  } finally {
    await handle.close();
  }
}

async function byteAt(handle: FileHandle, position: number): Promise<number | undefined> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, position);
  return bytesRead === 1 ? buffer[0] : undefined;
}
