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
import { expectSilu, readDecoder, readWindow } from "./families/decoder.ts";
import { type Family, FoundConfig } from "./families/family.ts";
import { families } from "./families/index.ts";

/**
 * Reads a Hugging Face `config.json`: dense models by their family (families/), Mixtral, and mixtures of the type "btx".
 * Refuses models that this transformer would compute differently.
 */

export const configFile = "config.json";
const maxConfigBytes = 10 << 20;

const mixtureSchema = z.object({
  num_local_experts: z.int().min(1).max(1024).nullish(),
  num_experts_per_tok: z
    .int()
    .min(1)
    .max(2 ** 31)
    .nullish(),
  router_aux_loss_coef: z.number().min(0).nullish(),
  btx: z
    .object({
      version: z.literal(1),
      moe: moeConfigSchema,
      family: z.string().optional(),
      ffn: z.int().min(1).optional(),
    })
    .nullish(),
});
type FoundMixture = z.infer<typeof mixtureSchema>;

/** Types that `familyFor` knows how to read. */
const supportedTypes = (): string => [...families.keys(), "mixtral"].join(", ");

/**
 * The model that a parsed `config.json` describes.
 *
 * @param file for errors.
 * @throws UserError naming the file and the key for another architecture, or a model that this transformer would
 * compute differently.
 */
export function configFromHuggingFace(json: unknown, file: string): ModelConfig {
  const object = z.looseObject({ model_type: z.string() }).safeParse(json).data;
  if (object === undefined)
    throw new UserError(`${file} has no \`model_type\`: it is not the configuration of a model`);
  const { model_type: type } = object;
  const found = new FoundConfig(object, file);
  const isMixture = type === "mixtral" || type === "btx";
  const mixture = isMixture ? parsedMixture(object, file) : undefined;
  const family = familyFor(type, mixture?.btx?.family);
  if (!family)
    throw new UserError(
      `${file} describes a model of type ${JSON.stringify(type.slice(0, 100))}, which is not supported: the types that are: ${supportedTypes()}`,
    );
  const architecture =
    type === "mixtral" ? "MixtralForCausalLM" : type === "btx" ? "BtxForCausalLM" : family.architecture;
  const given = found.get("architectures", z.array(z.string()));
  if (given && !given.includes(architecture))
    throw new UserError(
      `${file} has the architecture ${JSON.stringify(given.join(", ").slice(0, 100))}: only ${architecture} is supported for its model type`,
    );
  const dense = type === "mixtral" ? readMixtral(found, mixture?.btx?.ffn) : family.read(found);
  const moe = mixture && moeOf(mixture, found, type, dense.layers);
  const config = modelConfigSchema.parse({ ...dense, ...(moe ? { moe } : {}) } satisfies ModelConfig);
  if (type === "mixtral" && checkpointType(config) !== "mixtral")
    throw new UserError(`${file}: \`btx.moe.router\` routes in a way that Mixtral does not`);
  return config;
}

function familyFor(type: string, base: string | undefined): Family | undefined {
  if (type === "mixtral") return families.get("llama");
  return families.get(type === "btx" ? (base ?? "llama") : type);
}

function parsedMixture(json: unknown, file: string): FoundMixture {
  const parsed = mixtureSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new UserError(`${file} has no valid \`${issue?.path.join(".")}\`: ${issue?.message}`);
}

/** The dense part of a Mixtral, whose blocks may have been wider than its experts. */
function readMixtral(found: FoundConfig, ffn: number | undefined): ModelConfig {
  expectSilu(found);
  const config = readDecoder(found, { kvHeads: 8, ropeTheta: 1_000_000, normEps: 1e-5 });
  if (config.ropeScaling) found.refuse("rope_scaling", "is not computed by all versions of Mixtral");
  const { window } = readWindow(found, config.layers, () => true);
  return {
    ...config,
    ...(ffn === undefined ? {} : { ffn }),
    ...(window ? { family: "mistral" as const, window } : {}),
  };
}

function moeOf(found: FoundMixture, config: FoundConfig, type: string, layerCount: number): MoeConfig {
  const count = found.num_local_experts ?? 8;
  const layers = Array.from({ length: layerCount }, (_, layer) => layer);
  const moe: MoeConfig = found.btx?.moe ?? {
    experts: Array.from({ length: count }, (_, expert) => `expert${expert}`),
    layers,
    router: { type: "top-k", k: found.num_experts_per_tok ?? 2, loadBalance: found.router_aux_loss_coef ?? 0.001 },
  };
  const wrong = (key: string, problem: string): never => config.refuse(key, problem);
  if (type === "btx" && !found.btx) wrong("btx", "is missing, which describes the experts");
  if (moe.experts.length !== count)
    wrong("btx.moe.experts", `names ${moe.experts.length} experts, but num_local_experts is ${count}`);
  if (new Set(moe.experts).size !== count) wrong("btx.moe.experts", "gives a name twice");
  const k = expertsPerToken(moe, moe.layers.length - 1);
  if (k > count) wrong("num_experts_per_tok", `is ${k}, more than the ${count} experts`);
  if (found.num_experts_per_tok != null && found.num_experts_per_tok !== k)
    wrong("num_experts_per_tok", `is ${found.num_experts_per_tok}, but btx.moe.router uses ${k}`);
  if (!moe.layers.every((layer, i) => layer < layerCount && (i === 0 || layer > moe.layers[i - 1]!)))
    wrong("btx.moe.layers", `is not an ascending list of layers below ${layerCount}`);
  if (type === "mixtral" && moe.layers.length !== layers.length)
    wrong("btx.moe.layers", "leaves out layers, which Mixtral cannot");
  if (type === "mixtral" && moe.ffn !== undefined && moe.ffn !== config.size("intermediate_size"))
    wrong("btx.moe.ffn", `is ${moe.ffn}, but intermediate_size is ${config.size("intermediate_size")}`);
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
