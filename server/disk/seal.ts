import type * as z from "zod";
import { DamagedError, hasChanged } from "./damaged.ts";
import { digestOf } from "./digest.ts";
import { parseJson } from "./lines.ts";

/**
 * Small JSON files that contain a digest of themselves: the last key, `digest`, of the text before it. Files of older
 * versions have none and are read as they are.
 */

/** The end of a sealed text. */
const seal = /,\n {2}"digest": "([0-9a-f]{16})"\n\}\n$/;

/** JSON of an object with at least one key, indented for people, that ends with its digest. */
export function sealed(value: object): string {
  const text = JSON.stringify(value, null, 2).slice(0, -"\n}".length);
  return `${text},\n  "digest": "${digestOf(Buffer.from(text))}"\n}\n`;
}

/** Whether a text ends with a digest. */
export const isSealed = (text: string): boolean => seal.test(text);

/**
 * Parses and validates a JSON file, and checks its digest if it has one.
 *
 * @throws DamagedError if it has changed since it was written; UserError that names the first wrong key.
 */
export function parseSealed<T>(text: string, schema: z.ZodType<T>, path: string): T {
  const end = seal.exec(text);
  if (end) {
    const before = text.slice(0, end.index);
    if (digestOf(Buffer.from(before)) !== end[1]) throw new DamagedError(path, hasChanged);
    return parseJson(`${before}\n}`, schema, path);
  }
  if (text.slice(-80).includes('"digest"')) throw new DamagedError(path, hasChanged);
  return parseJson(text, schema, path);
}
