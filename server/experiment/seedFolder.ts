import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { ModelShape } from "../protocol/stage.ts";

const size = z.int().min(1);

/** The keys of a Hugging Face Llama `config.json` that decide shapes, with Transformers' defaults. */
const configSchema = z.object({
  model_type: z.string(),
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size.max(1024),
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  max_position_embeddings: size.default(2048),
  rope_theta: z.number().positive().optional(),
  rope_parameters: z.object({ rope_theta: z.number().positive().optional() }).nullish(),
  rms_norm_eps: z.number().positive().default(1e-6),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
});

/** What a checkpoint's folder says of its model, or in one clause why it cannot be the seed. */
export type SeedFolder = { shape: ModelShape; vocab: number } | { problem: string };

const maxConfigBytes = 1024 * 1024;

/** Reads `config.json` of a seed's folder (`seed.from`). Never throws. */
export async function readSeedFolder(folder: string): Promise<SeedFolder> {
  const isFolder = await stat(folder).then(
    (info) => info.isDirectory(),
    () => undefined,
  );
  if (isFolder === undefined) return { problem: `the folder ${folder} does not exist` };
  if (!isFolder) return { problem: `${folder} is not a folder` };
  const path = join(folder, "config.json");
  const bytes = await stat(path).then(
    (info) => info.size,
    () => undefined,
  );
  if (bytes === undefined) return { problem: `the folder ${folder} has no config.json` };
  if (bytes > maxConfigBytes) return { problem: `${path} has ${bytes} bytes, which is no model's configuration` };
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch {
    return { problem: `${path} is not valid JSON` };
  }
  return shapeOf(json, path);
}

function shapeOf(json: unknown, path: string): SeedFolder {
  const parsed = configSchema.safeParse(json);
  if (!parsed.success) {
    const key = parsed.error.issues[0]?.path.join(".");
    return { problem: key ? `${path} has no valid \`${key}\`` : `${path} is not a model's configuration` };
  }
  const config = parsed.data;
  if (config.model_type !== "llama")
    return { problem: `${path} is of a model of type \`${config.model_type}\`, and only \`llama\` can be a seed` };
  const heads = config.num_attention_heads;
  const headSize = config.head_dim ?? config.hidden_size / heads;
  if (!Number.isInteger(headSize)) return { problem: `${path}: hidden_size is no multiple of num_attention_heads` };
  return {
    vocab: config.vocab_size,
    shape: {
      layers: config.num_hidden_layers,
      hidden: config.hidden_size,
      heads,
      kvHeads: config.num_key_value_heads ?? heads,
      headSize,
      ffn: config.intermediate_size,
      context: config.max_position_embeddings,
      ropeTheta: config.rope_theta ?? config.rope_parameters?.rope_theta ?? 10_000,
      normEps: config.rms_norm_eps,
      tiedEmbeddings: config.tie_word_embeddings,
      attentionBias: config.attention_bias,
      ffnBias: config.mlp_bias,
    },
  };
}

/** The first size that the experiment gives and the checkpoint contradicts; a shorter context is no contradiction. */
export function firstDifference(given: Partial<ModelShape>, found: ModelShape): keyof ModelShape | undefined {
  const keys = Object.keys(given) as (keyof ModelShape)[];
  return keys.find((key) => (key === "context" ? given.context! > found.context : given[key] !== found[key]));
}

/** The checkpoint's shape with the experiment's context, if that is shorter. */
export const seedShape = (given: Partial<ModelShape>, found: ModelShape): ModelShape => ({
  ...found,
  context: Math.min(given.context ?? found.context, found.context),
});
