import { join } from "node:path";
import { readBounded } from "../disk/open.ts";
import { maxTokenizerBytes } from "../protocol/data.ts";
import { UserError } from "../protocol/errors.ts";
import { type ModelConfig, modelConfigSchema } from "../protocol/model.ts";

/** Differences between two models, which keep them from being mixed. */

/** The first difference of two objects: the path of a key, such as "moe.router.k", and both values. */
export interface Difference {
  key: string;
  a: unknown;
  b: unknown;
}

/** The first key, in the order of the schema, in which two models' configurations differ; undefined for equal ones. */
export function firstDifference(a: ModelConfig, b: ModelConfig): Difference | undefined {
  for (const key of modelConfigSchema.keyof().options) {
    const difference = firstJsonDifference(a[key], b[key], key);
    if (difference) return difference;
  }
  return undefined;
}

/**
 * The first path in which the `tokenizer.json` of two folders differ; undefined for tokenizers that are equal.
 *
 * @throws UserError when one cannot be read.
 */
export async function firstTokenizerDifference(folderA: string, folderB: string): Promise<Difference | undefined> {
  return firstJsonDifference(await readTokenizer(folderA), await readTokenizer(folderB), "");
}

async function readTokenizer(folder: string): Promise<unknown> {
  const path = join(folder, "tokenizer.json");
  try {
    return JSON.parse((await readBounded(path, maxTokenizerBytes)).toString("utf8"));
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A deep comparison of JSON values that does not mind the order of keys. */
function firstJsonDifference(a: unknown, b: unknown, path: string): Difference | undefined {
  if (a === b) return undefined;
  const bothObjects = typeof a === "object" && typeof b === "object" && a !== null && b !== null;
  if (!bothObjects || Array.isArray(a) !== Array.isArray(b)) return { key: path, a, b };
  const left = new Map(Object.entries(a));
  const right = new Map(Object.entries(b));
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    const difference = firstJsonDifference(left.get(key), right.get(key), path === "" ? key : `${path}.${key}`);
    if (difference) return difference;
  }
  return undefined;
}
