import * as z from "zod";
import { BYTE_TO_CHARACTER, foreignPattern, GPT2_PATTERN } from "./byteAlphabet.ts";
import type { ByteLevelBpe } from "./byteLevelBpe.ts";
import type { ParsedTokenizer } from "./parse.ts";

const none = z.union([z.null(), z.literal("")]).optional();

/** Byte-level BPE whose every setting the fast encoder knows. */
const modelSchema = z.object({
  type: z.literal("BPE"),
  dropout: z.union([z.null(), z.literal(0)]).optional(),
  unk_token: z.unknown(),
  continuing_subword_prefix: none,
  end_of_word_suffix: none,
  byte_fallback: z.literal(false).optional(),
  ignore_merges: z.boolean().optional(),
  merges: z.array(z.unknown()),
});

const byteLevelSchema = z.object({
  type: z.literal("ByteLevel"),
  add_prefix_space: z.literal(false),
  use_regex: z.boolean().default(true),
});

const splitSchema = z.object({
  type: z.literal("Split"),
  pattern: z.object({ Regex: z.string() }),
  behavior: z.literal("Isolated"),
  invert: z.literal(false).optional(),
});

const preTokenizerSchema = z.union([
  byteLevelSchema.extend({ use_regex: z.literal(true).default(true) }).transform(() => GPT2_PATTERN),
  z
    .object({
      type: z.literal("Sequence"),
      pretokenizers: z.tuple([splitSchema, byteLevelSchema.extend({ use_regex: z.literal(false) })]),
    })
    .transform((sequence) => foreignPattern(sequence.pretokenizers[0].pattern.Regex)),
]);

const normalizerSchema = z
  .union([z.null(), z.object({ type: z.literal("NFC") })])
  .optional()
  .transform((normalizer) => normalizer?.type);

/** The tokenizer as byte-level BPE (GPT-2, Llama 3 and their kind), or undefined if it is anything else. */
export function byteLevelOf(parsed: ParsedTokenizer): ByteLevelBpe | undefined {
  const { json, ids, special } = parsed;
  const model = modelSchema.safeParse(json.model);
  const pattern = preTokenizerSchema.safeParse(json.pre_tokenizer);
  const normalizer = normalizerSchema.safeParse(json.normalizer);
  if (!model.success || !pattern.success || !normalizer.success || pattern.data === undefined) return undefined;
  if (parsed.addsPlainTokens || BYTE_TO_CHARACTER.some((character) => !ids.has(character))) return undefined;
  const merges: [string, string][] = [];
  for (const merge of model.data.merges) {
    const [left, right] = sides(merge);
    if (!ids.has(left) || !ids.has(right) || !ids.has(left + right)) return undefined;
    merges.push([left, right]);
  }
  return {
    vocab: ids,
    merges,
    special,
    endOfText: parsed.endOfText,
    pattern: pattern.data,
    ignoreMerges: model.data.ignore_merges,
    normalForm: normalizer.data,
  };
}

/** A merge's two tokens, a pair or in older files "left right"; empty ones if it is neither. */
function sides(merge: unknown): [string, string] {
  const [left, right] = typeof merge === "string" ? merge.split(" ") : Array.isArray(merge) ? (merge as unknown[]) : [];
  return typeof left === "string" && typeof right === "string" ? [left, right] : ["", ""];
}
