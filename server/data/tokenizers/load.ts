import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
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

/** Larger than any tokenizer, and small enough to be read. */
const maxTokenizerBytes = 256 << 20;

/** Path of the `tokenizer.json` that is named by itself or by its folder. */
export async function tokenizerPath(path: string): Promise<string> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
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
  const info = await stat(file).catch(() => undefined);
  if (!info) throw new UserError(`the tokenizer ${file} does not exist`);
  if (info.size > maxTokenizerBytes)
    throw new UserError(`${file} is too large for a tokenizer: it has ${info.size} bytes`);
  const tokenizer = await readFile(file, "utf8").catch((error: Error) => {
    throw new UserError(`cannot read the tokenizer ${file}: ${error.message}`);
  });
  const configFile = join(dirname(file), "tokenizer_config.json");
  const config = await readFile(configFile, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "{}\n";
    throw new UserError(`cannot read ${configFile}: ${error.message}`);
  });
  return { tokenizer, config };
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
