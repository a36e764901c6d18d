import { basename, dirname, join } from "node:path";
import * as z from "zod";
import { hasCode } from "../disk/errors.ts";
import { readBounded, statsOf } from "../disk/open.ts";
import { UserError } from "../protocol/errors.ts";
import { expertsPerToken, type ModelConfig, modelConfigSchema, moeConfigSchema } from "../protocol/model.ts";
import { FoundConfig } from "./families/family.ts";
import { families } from "./families/index.ts";
import { type MixtureFamily, mixtures } from "./families/mixtures.ts";

/**
 * Reads a Hugging Face `config.json`: dense models by their family (families/), and mixtures.
 * Refuses models that this transformer would compute differently.
 */

export const configFile = "config.json";
const maxConfigBytes = 10 << 20;

/** What `config.json` says under the key `btx`: what Hugging Face has no key for. */
const aboutSchema = z.object({
  version: z.literal(1),
  moe: moeConfigSchema,
  /** Family of the dense models. */
  family: z.string().optional(),
  /** Width of the dense blocks, where the experts are narrower. */
  ffn: z.int().min(1).optional(),
});

const supportedTypes = (): string => [...families.keys(), ...mixtures.keys()].join(", ");

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
  const mixture = mixtures.get(type);
  const about = mixture || type === "btx" ? found.get("btx", aboutSchema) : undefined;
  const family = mixture ?? families.get(type === "btx" ? (about?.family ?? "llama") : type);
  if (!family)
    throw new UserError(
      `${file} describes a model of type ${JSON.stringify(type.slice(0, 100))}, which is not supported: the types that are: ${supportedTypes()}`,
    );
  const architecture = type === "btx" ? "BtxForCausalLM" : family.architecture;
  const given = found.get("architectures", z.array(z.string()));
  if (given && !given.includes(architecture))
    throw new UserError(
      `${file} has the architecture ${JSON.stringify(given.join(", ").slice(0, 100))}: only ${architecture} is supported for its model type`,
    );
  if (found.get("quantization_config", z.unknown()) !== undefined)
    found.refuse("quantization_config", "describes a quantized model: use the model it was made from");
  const read = family.read(found);
  if (type === "btx" && !about) found.refuse("btx", "is missing, which describes the experts");
  const config = about || read.moe ? withExperts(read, about, found, mixture) : read;
  const checked = modelConfigSchema.parse(config);
  if (mixture && !mixture.holds(checked))
    throw new UserError(`${file}: \`btx.moe.router\` routes in a way that ${typeNames.get(type) ?? type} does not`);
  return checked;
}

const typeNames = new Map([["mixtral", "Mixtral"]]);

/** A model with the experts that its configuration describes under `btx`, or by its own keys. */
function withExperts(
  read: ModelConfig,
  about: z.infer<typeof aboutSchema> | undefined,
  found: FoundConfig,
  mixture: MixtureFamily | undefined,
): ModelConfig {
  const moe = about?.moe ?? read.moe!;
  const countKey = mixture?.countKey ?? "num_local_experts";
  const wrong = (key: string, problem: string): never => found.refuse(key, problem);
  const count = read.moe?.experts.length ?? found.get(countKey, z.int().min(1).max(1024)) ?? 8;
  if (moe.experts.length !== count)
    wrong("btx.moe.experts", `names ${moe.experts.length} experts, but ${countKey} is ${count}`);
  if (new Set(moe.experts).size !== count) wrong("btx.moe.experts", "gives a name twice");
  if (moe.layers.length === 0) wrong("mlp_only_layers", "leaves no layer with experts");
  const k = expertsPerToken(moe, moe.layers.length - 1);
  const given = found.get("num_experts_per_tok", z.int().min(1));
  if (k > count) wrong("num_experts_per_tok", `is ${k}, more than the ${count} experts`);
  if (given !== undefined && given !== k) wrong("num_experts_per_tok", `is ${given}, but btx.moe.router uses ${k}`);
  if (!moe.layers.every((layer, i) => layer < read.layers && (i === 0 || layer > moe.layers[i - 1]!)))
    wrong("btx.moe.layers", `is not an ascending list of layers below ${read.layers}`);
  if (read.moe && about && read.moe.layers.join() !== moe.layers.join())
    wrong("btx.moe.layers", "leaves out layers, or names others, than the rest of the configuration");
  const width = read.moe?.ffn ?? read.ffn;
  if (about && mixture && moe.ffn !== undefined && moe.ffn !== width)
    wrong(
      "btx.moe.ffn",
      `is ${moe.ffn}, but ${read.moe?.ffn === undefined ? "intermediate_size" : "moe_intermediate_size"} is ${width}`,
    );
  return { ...read, ...(about?.ffn === undefined ? {} : { ffn: about.ffn }), moe };
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
