import * as z from "zod";
import { UserError } from "../../protocol/errors.ts";
import type { TokenizerFiles } from "./build.ts";

/** What is read from a `tokenizer.json` and its config, for every type of tokenizer. */
export interface ParsedTokenizer {
  json: Record<string, unknown>;
  config: Record<string, unknown>;
  modelType: string;
  /** Token to id, of the model and the added tokens. */
  ids: ReadonlyMap<string, number>;
  /** Token to id, of the special added tokens. */
  special: ReadonlyMap<string, number>;
  /** Whether an added token is not special; such tokens are recognized in plain text. */
  addsPlainTokens: boolean;
  endOfText: number;
  endOfTextName: string;
}

const addedTokenSchema = z.object({ id: z.int().min(0), content: z.string(), special: z.boolean().default(false) });
const pieceSchema = z.tuple([z.string(), z.number()]);

/** Usual names of end-of-text tokens, tried in order if `tokenizer_config.json` names none. */
const USUAL_NAMES = [
  "<|endoftext|>",
  "<|end_of_text|>",
  "</s>",
  "<eos>",
  "<|eos|>",
  "<|im_end|>",
  "<|eot_id|>",
  "[SEP]",
];

/** @throws UserError naming what is broken in the file at `path` */
export function parseTokenizer(files: TokenizerFiles, path: string): ParsedTokenizer {
  const json = parseObject(files.tokenizer, path);
  const config = parseObject(files.config, path.replace(/tokenizer\.json$/, "tokenizer_config.json"));
  const model = json.model;
  if (typeof model !== "object" || model === null) throw broken(path, "it has no `model`");
  const { type, vocab } = model as Record<string, unknown>;
  const ids = vocabulary(vocab, path);
  const added = z.array(addedTokenSchema).safeParse(json.added_tokens ?? []);
  if (!added.success) throw broken(path, "its `added_tokens` are not a list of tokens with `id` and `content`");
  for (const token of added.data) ids.set(token.content, token.id);
  const endOfTextName = endOfTextOf(config, ids, path);
  const special = new Map(added.data.filter((token) => token.special).map((token) => [token.content, token.id]));
  special.set(endOfTextName, ids.get(endOfTextName)!);
  return {
    json,
    config,
    modelType: typeof type === "string" ? type : "",
    ids,
    special,
    addsPlainTokens: added.data.some((token) => !special.has(token.content)),
    endOfText: ids.get(endOfTextName)!,
    endOfTextName,
  };
}

/** @param vocab token to id (BPE, WordPiece, WordLevel), or a list of token and score (Unigram) */
function vocabulary(vocab: unknown, path: string): Map<string, number> {
  const ids = new Map<string, number>();
  if (Array.isArray(vocab)) {
    for (const [id, entry] of vocab.entries()) {
      const piece = pieceSchema.safeParse(entry);
      if (!piece.success) throw broken(path, `entry ${id} of its vocabulary is not a token and a score`);
      ids.set(piece.data[0], id);
    }
  } else if (typeof vocab === "object" && vocab !== null) {
    for (const [token, id] of Object.entries(vocab) as [string, unknown][]) {
      if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= 2 ** 24) {
        throw broken(path, `the id of ${JSON.stringify(token.slice(0, 40))} is not a whole number below 2^24`);
      }
      ids.set(token, id);
    }
  }
  if (ids.size === 0) throw broken(path, "its model has no vocabulary");
  return ids;
}

function endOfTextOf(config: Record<string, unknown>, ids: ReadonlyMap<string, number>, path: string): string {
  const named = config.eos_token;
  const content = typeof named === "object" && named !== null ? (named as Record<string, unknown>).content : named;
  if (typeof content === "string") {
    if (ids.has(content)) return content;
    throw new UserError(`the eos_token "${content}" of tokenizer_config.json is not a token of ${path}`);
  }
  const usual = USUAL_NAMES.find((name) => ids.has(name));
  if (usual !== undefined) return usual;
  throw new UserError(`${path} has no end-of-text token: name it as "eos_token" in a tokenizer_config.json beside it`);
}

function parseObject(text: string, path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw broken(path, (error as Error).message.slice(0, 200));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw broken(path, "it is not an object");
  return value as Record<string, unknown>;
}

export const broken = (path: string, why: string): UserError =>
  new UserError(`${path} is not a Hugging Face tokenizer: ${why}`);
