import * as z from "zod";

/** The most of a `tokenizer.json` or `tokenizer_config.json` that is read, bytes: more than any tokenizer has. */
export const maxTokenizerBytes = 256 << 20;

/** One split of a domain. */
export const splitIndexSchema = z.strictObject({
  /** Tokens, including the end-of-text after each document. */
  tokens: z.int().min(0),
  documents: z.int().min(0),
  /** UTF-8 bytes of the documents' text. */
  bytes: z.int().min(0),
});
export type SplitIndex = z.infer<typeof splitIndexSchema>;

export const domainIndexSchema = z.strictObject({
  train: splitIndexSchema,
  heldout: splitIndexSchema,
  /** Held-out problems in `answers.jsonl`; 0 if the domain declares no answers. */
  answers: z.int().min(0),
});
export type DomainIndex = z.infer<typeof domainIndexSchema>;

/**
 * `index.json`, written last into a data folder, says how to read it. Next to it are `tokenizer.json`,
 * `tokenizer_config.json` and, per domain, `train.tokens` and `heldout.tokens` (little-endian ids, nothing else) and
 * `answers.jsonl` (problems).
 */
export const dataIndexSchema = z.strictObject({
  version: z.literal(1),
  /** sha256 of the spec the folder was made from. */
  spec: z.string(),
  vocab: z.int().min(2),
  endOfText: z.int().min(0),
  dtype: z.enum(["u16", "u32"]),
  domains: z.record(z.string(), domainIndexSchema),
});
export type DataIndex = z.infer<typeof dataIndexSchema>;

/** One line of `answers.jsonl`: a held-out document as a problem. */
export const problemSchema = z.strictObject({
  /** The prompt given to the model. */
  prompt: z.string(),
  /** How the document continues, up to the end of the answer's line. */
  solution: z.string(),
  answer: z.string(),
  /**
   * The answer follows the last marker in a solution, up to the line's end. Absent: it is the solution's first line.
   */
  marker: z.string().optional(),
});
export type Problem = z.infer<typeof problemSchema>;
