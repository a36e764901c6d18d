import { LineSplitter } from "../../disk/lines.ts";
import { UserError } from "../../protocol/errors.ts";
import { decodeUtf8 } from "./bytes.ts";
import type { Document } from "./document.ts";
import { recordText } from "./record.ts";

/** Longest JSON line, in bytes: a line must fit in memory several times over. */
const LONGEST_LINE = 64 << 20;

/**
 * One document a line of a JSON Lines file; blank lines are passed over.
 *
 * @param rule see recordText
 * @throws UserError naming file and line: broken JSON, no object, a missing field, a line longer than 64 MiB.
 */
export async function* jsonlDocuments(
  file: string,
  chunks: AsyncIterable<Buffer>,
  rule?: string,
): AsyncGenerator<Document> {
  const text = recordText(rule);
  for await (const { line, number } of readLines(file, chunks)) {
    if (line.trim() === "") continue;
    const where = `line ${number} of ${file}`;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw new UserError(`${where} is not valid JSON: ${(error as Error).message.slice(0, 200)}`);
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new UserError(`${where} is not a JSON object: every line must be one, such as {"text": "..."}`);
    }
    yield text.of(value, where);
  }
}

async function* readLines(
  file: string,
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<{ line: string; number: number }> {
  const lines = new LineSplitter();
  let offset = 0;
  let number = 1;
  const decoded = (line: Buffer) => {
    const text = decodeUtf8(line, file, offset);
    offset += line.length + 1;
    return { line: text, number: number++ };
  };
  for await (const chunk of chunks) {
    for (const line of lines.take(chunk)) yield decoded(line);
    if (lines.pending > LONGEST_LINE) {
      throw new UserError(
        `line ${number} of ${file} is longer than ${LONGEST_LINE >> 20} MiB: is it JSON Lines, with one object per line?`,
      );
    }
  }
  if (lines.pending > 0) yield decoded(lines.rest());
}
