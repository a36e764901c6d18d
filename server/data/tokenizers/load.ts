import { dirname, join } from "node:path";
import { hasCode } from "../../disk/errors.ts";
import { readBounded, statsOf } from "../../disk/open.ts";
import { maxTokenizerBytes } from "../../protocol/data.ts";
import { UserError } from "../../protocol/errors.ts";
import type { TokenizerFiles } from "./build.ts";
import { ByteLevelTokenizer } from "./byteLevelBpe.ts";
import { byteLevelOf } from "./byteLevelFile.ts";
import { ForeignTokenizer } from "./foreign.ts";
import { parseTokenizer } from "./parse.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * The tokenizer of a folder with a `tokenizer.json` and, where it has one, a `tokenizer_config.json`.
 *
 * @throws UserError naming the file: missing, not a tokenizer, no end-of-text token.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const path = join(folder, "tokenizer.json");
  return tokenizerOf(await readTokenizerFiles(path), path);
}

/** Path of the `tokenizer.json` that is named by itself or by its folder. */
export async function tokenizerPath(path: string): Promise<string> {
  const isFolder = (await statsOf(path))?.isDirectory() ?? false;
  return isFolder ? join(path, "tokenizer.json") : path;
}

/**
 * The texts of a tokenizer's files.
 *
 * @param path a folder with `tokenizer.json`, or the file itself
 * @throws UserError if there is none
 */
export async function readTokenizerFiles(path: string): Promise<TokenizerFiles> {
  const file = await tokenizerPath(path);
  return {
    tokenizer: await tokenizerText(file),
    config: await configText(join(dirname(file), "tokenizer_config.json")),
  };
}

async function tokenizerText(file: string): Promise<string> {
  try {
    return (await readBounded(file, maxTokenizerBytes)).toString("utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) throw new UserError(`the tokenizer ${file} does not exist`);
    throw error;
  }
}

/** The text of a `tokenizer_config.json`, which a tokenizer may lack. */
async function configText(file: string): Promise<string> {
  try {
    return (await readBounded(file, maxTokenizerBytes)).toString("utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return "{}\n";
    throw error;
  }
}

/**
 * A tokenizer of the texts of its files: by the fast encoder where it is byte-level BPE without tokens of its own kind,
 * else by `@huggingface/tokenizers`.
 *
 * @param path of `tokenizer.json`, for errors
 */
export function tokenizerOf(files: TokenizerFiles, path: string): Tokenizer {
  const parsed = parseTokenizer(files, path);
  const bpe = byteLevelOf(parsed);
  return bpe ? new ByteLevelTokenizer(bpe) : new ForeignTokenizer(parsed, path);
}
