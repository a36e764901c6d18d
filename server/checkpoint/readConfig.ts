import { basename, dirname, join } from "node:path";
import * as z from "zod";
import { hasCode } from "../disk/errors.ts";
import { readBounded, statsOf } from "../disk/open.ts";
import { UserError } from "../protocol/errors.ts";
import {
  expertsPerToken,
  type ModelConfig,
  type MoeConfig,
  modelConfigSchema,
  moeConfigSchema,
} from "../protocol/model.ts";
import { checkpointType } from "./checkpointType.ts";

/** Reads a Hugging Face `config.json`, and refuses models that this transformer would compute differently. */

export const configFile = "config.json";
const maxConfigBytes = 10 << 20;

/** Large enough for any model, small enough to bound the list of parameters of a hostile file. */
const size = z
  .int()
  .min(1)
  .max(2 ** 31);
const layerCount = z.int().min(1).max(1024);
const expertCount = z.int().min(1).max(1024);

const ropeSchema = z.looseObject({
  rope_type: z.string().nullish(),
  type: z.string().nullish(),
  rope_theta: z.number().positive().nullish(),
  partial_rotary_factor: z.number().nullish(),
});

/**
 * Sizes are required. The rest has Transformers' defaults; defaults that differ between Llama and Mixtral are in
 * `supported`.
 */
const commonSchema = z.object({
  architectures: z.array(z.string()).nullish(),
  vocab_size: size,
  max_position_embeddings: size,
  num_hidden_layers: layerCount,
  hidden_size: size,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  intermediate_size: size,
  hidden_act: z.string().nullish(),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: ropeSchema.nullish(),
  rope_parameters: ropeSchema.nullish(),
  partial_rotary_factor: z.number().nullish(),
  rms_norm_eps: z.number().positive().nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  sliding_window: z.number().nullish(),
  quantization_config: z.unknown().optional(),
  num_local_experts: expertCount.nullish(),
  num_experts_per_tok: size.nullish(),
  router_aux_loss_coef: z.number().min(0).nullish(),
  btx: z.object({ version: z.literal(1), moe: moeConfigSchema, ffn: size.optional() }).nullish(),
});
type HuggingFaceConfig = z.infer<typeof commonSchema>;

const supported = new Map([
  ["llama", { architecture: "LlamaForCausalLM", ropeTheta: 10_000, normEps: 1e-6 }],
  ["mixtral", { architecture: "MixtralForCausalLM", ropeTheta: 1_000_000, normEps: 1e-5 }],
  ["btx", { architecture: "BtxForCausalLM", ropeTheta: 10_000, normEps: 1e-6 }],
]);

/**
 * The model that a parsed `config.json` describes.
 *
 * @param file for errors.
 * @throws UserError naming the file and the key for another architecture, or a model that this transformer would
 * compute differently.
 */
export function configFromHuggingFace(json: unknown, file: string): ModelConfig {
  const type = z.object({ model_type: z.string() }).safeParse(json).data?.model_type;
  if (type === undefined) throw new UserError(`${file} has no \`model_type\`: it is not the configuration of a model`);
  const defaults = supported.get(type);
  if (!defaults)
    throw new UserError(
      `${file} describes a model of type ${JSON.stringify(type.slice(0, 100))}: only llama (LlamaForCausalLM) and mixtral (MixtralForCausalLM) are supported`,
    );
  const parsed = commonSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new UserError(`${file} has no valid \`${issue?.path.join(".")}\`: ${issue?.message}`);
  }
  const found = parsed.data;
  refuseUnlike(found, defaults.architecture, file);
  const rope = found.rope_parameters ?? found.rope_scaling;
  const heads = found.num_attention_heads;
  const kvHeads = found.num_key_value_heads ?? (type === "mixtral" ? 8 : heads);
  const headSize = found.head_dim ?? found.hidden_size / heads;
  if (!Number.isInteger(headSize))
    throw new UserError(
      `${file}: \`hidden_size\` ${found.hidden_size} is not a multiple of \`num_attention_heads\` ${heads}`,
    );
  if (headSize % 2 !== 0)
    throw new UserError(`${file}: a head is ${headSize} wide, but rotary embeddings need an even width`);
  if (heads % kvHeads !== 0)
    throw new UserError(
      `${file}: \`num_attention_heads\` ${heads} is not a multiple of \`num_key_value_heads\` ${kvHeads}`,
    );
  const moe = moeOf(found, type, file);
  const config = modelConfigSchema.parse({
    vocab: found.vocab_size,
    context: found.max_position_embeddings,
    layers: found.num_hidden_layers,
    hidden: found.hidden_size,
    heads,
    kvHeads,
    headSize,
    ffn: (type === "mixtral" ? found.btx?.ffn : undefined) ?? found.intermediate_size,
    ropeTheta: rope?.rope_theta ?? found.rope_theta ?? defaults.ropeTheta,
    normEps: found.rms_norm_eps ?? defaults.normEps,
    tiedEmbeddings: found.tie_word_embeddings ?? false,
    attentionBias: type === "mixtral" ? false : (found.attention_bias ?? false),
    ffnBias: type === "mixtral" ? false : (found.mlp_bias ?? false),
    ...(moe ? { moe } : {}),
  } satisfies ModelConfig);
  if (type === "mixtral" && checkpointType(config) !== "mixtral")
    throw new UserError(`${file}: \`btx.moe.router\` routes in a way that Mixtral does not`);
  return config;
}

/** Throws for a model whose keys require a computation that ours does not do. */
function refuseUnlike(found: HuggingFaceConfig, architecture: string, file: string): void {
  if (found.architectures && !found.architectures.includes(architecture))
    throw new UserError(
      `${file} has the architecture ${JSON.stringify(found.architectures.join(", ").slice(0, 100))}: only ${architecture} is supported for its model type`,
    );
  if (found.quantization_config != null)
    throw new UserError(
      `${file} describes a quantized model (\`quantization_config\`): use the model it was made from`,
    );
  const activation = found.hidden_act ?? "silu";
  if (activation !== "silu" && activation !== "swish")
    throw new UserError(`${file} has the \`hidden_act\` ${JSON.stringify(activation)}: only silu is supported`);
  for (const key of ["rope_scaling", "rope_parameters"] as const) {
    const rope = found[key];
    const scaling = rope?.rope_type ?? rope?.type ?? "default";
    if (scaling !== "default")
      throw new UserError(
        `${file} scales its rotary embeddings (\`${key}\` ${JSON.stringify(scaling)}), which is not supported`,
      );
    const nested = Object.entries(rope ?? {}).find(([, value]) => typeof value === "object" && value !== null)?.[0];
    if (nested)
      throw new UserError(
        `${file} has different rotary embeddings per kind of layer (\`${key}.${nested}\`), which is not supported`,
      );
    if (rope && key === "rope_scaling" && rope.rope_type == null && rope.type == null)
      throw new UserError(
        `${file} scales its rotary embeddings (\`rope_scaling\` without a type), which is not supported`,
      );
  }
  const turned = found.rope_parameters?.partial_rotary_factor ?? found.partial_rotary_factor ?? 1;
  if (turned !== 1)
    throw new UserError(
      `${file} rotates only a part of each head (\`partial_rotary_factor\` ${turned}), which is not supported`,
    );
  if (found.sliding_window != null && found.sliding_window < found.max_position_embeddings)
    throw new UserError(
      `${file} has a \`sliding_window\` of ${found.sliding_window} tokens, less than its context of ${found.max_position_embeddings}, which is not supported`,
    );
}

function moeOf(found: HuggingFaceConfig, type: string, file: string): MoeConfig | undefined {
  if (type === "llama") return undefined;
  const count = found.num_local_experts ?? 8;
  const layers = Array.from({ length: found.num_hidden_layers }, (_, layer) => layer);
  const moe: MoeConfig = found.btx?.moe ?? {
    experts: Array.from({ length: count }, (_, expert) => `expert${expert}`),
    layers,
    router: { type: "top-k", k: found.num_experts_per_tok ?? 2, loadBalance: found.router_aux_loss_coef ?? 0.001 },
  };
  const wrong = (key: string, problem: string): never => {
    throw new UserError(`${file}: \`${key}\` ${problem}`);
  };
  if (type === "btx" && !found.btx) wrong("btx", "is missing, which describes the experts");
  if (moe.experts.length !== count)
    wrong("btx.moe.experts", `names ${moe.experts.length} experts, but num_local_experts is ${count}`);
  if (new Set(moe.experts).size !== count) wrong("btx.moe.experts", "gives a name twice");
  const k = expertsPerToken(moe, moe.layers.length - 1);
  if (k > count) wrong("num_experts_per_tok", `is ${k}, more than the ${count} experts`);
  if (found.num_experts_per_tok != null && found.num_experts_per_tok !== k)
    wrong("num_experts_per_tok", `is ${found.num_experts_per_tok}, but btx.moe.router uses ${k}`);
  if (!moe.layers.every((layer, i) => layer < found.num_hidden_layers && (i === 0 || layer > moe.layers[i - 1]!)))
    wrong("btx.moe.layers", `is not an ascending list of layers below ${found.num_hidden_layers}`);
  if (type === "mixtral" && moe.layers.length !== layers.length)
    wrong("btx.moe.layers", "leaves out layers, which Mixtral cannot");
  if (type === "mixtral" && moe.ffn !== undefined && moe.ffn !== found.intermediate_size)
    wrong("btx.moe.ffn", `is ${moe.ffn}, but intermediate_size is ${found.intermediate_size}`);
  return moe;
}

/**
 * The model that a checkpoint's folder describes.
 *
 * @throws UserError naming the file and the key.
 */
export async function readConfig(folder: string): Promise<ModelConfig> {
  const path = join(folder, configFile);
  return parseConfig(await readConfigText(path), path);
}

/** `config.json` as text. @throws UserError when it cannot be read. */
export async function readConfigText(path: string): Promise<string> {
  try {
    return (await readBounded(path, maxConfigBytes)).toString("utf8");
  } catch (error) {
    if (error instanceof UserError) throw error;
    const folder = dirname(path);
    if (hasCode(error, "ENOENT")) {
      await refuseAdapter(folder);
      throw new UserError(`the folder ${folder} has no ${basename(path)}`);
    }
    if (hasCode(error, "ENOTDIR")) throw new UserError(`${folder} is not a folder`);
    throw new UserError(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** @throws UserError for the folder of an adapter, which has neither a configuration nor weights of its own. */
export async function refuseAdapter(folder: string): Promise<void> {
  if (await statsOf(join(folder, "adapter_config.json")))
    throw new UserError(
      `the folder ${folder} holds an adapter (LoRA), not a model: merge it into its base model first`,
    );
}

/** @throws UserError naming the file and the key. */
export function parseConfig(text: string, path: string): ModelConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new UserError(`${path} is not valid JSON`);
  }
  return configFromHuggingFace(json, path);
}
