import type { z } from "zod";
import { UserError } from "../protocol/errors.ts";

/** One complete line of a file. */
export interface Line {
  text: string;
  /** Offset of the byte after its line end. */
  end: number;
}

/** The complete lines of UTF-8 bytes; what follows the last line end is torn and left out. */
export function* splitLines(bytes: Buffer): Generator<Line> {
  let end = 0;
  for (const line of new LineSplitter().take(bytes)) {
    end += line.length + 1;
    yield { text: line.toString("utf8"), end };
  }
}

/** Splits a stream of byte chunks into lines. */
export class LineSplitter {
  #parts: Buffer[] = [];
  #pending = 0;

  /** Bytes since the last line end. */
  get pending(): number {
    return this.#pending;
  }

  /** The lines that are complete with this chunk, without their line ends. */
  *take(chunk: Buffer): Generator<Buffer> {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      this.#add(chunk.subarray(start, end));
      yield this.rest();
      start = end + 1;
    }
    if (start < chunk.length) this.#add(chunk.subarray(start));
  }

  /** Takes what follows the last line end. */
  rest(): Buffer {
    const [first, ...others] = this.#parts;
    const line = first && others.length === 0 ? first : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#pending = 0;
    return line;
  }

  #add(part: Buffer): void {
    this.#parts.push(part);
    this.#pending += part.length;
  }
}

/** @throws UserError naming file and line number. */
export function parseLine<T>(text: string, schema: z.ZodType<T>, path: string, number: number): T {
  return parseJson(text, schema, `line ${number} of ${path}`);
}

/**
 * Parses and validates JSON.
 *
 * @param where names the file, and the line if there is one, in the error.
 * @throws UserError that names the first wrong key.
 */
export function parseJson<T>(text: string, schema: z.ZodType<T>, where: string): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new UserError(`${where} is not valid JSON: delete it, or the folder that it is in, to do its work again`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const key = issue?.path.map(String).join(".");
  const what = key ? `has no valid \`${key}\`` : "is not valid";
  throw new UserError(
    `${where} ${what} (${issue?.message ?? "unknown"}): it was damaged or written by another version; delete the folder that it is in to do its work again`,
  );
}
