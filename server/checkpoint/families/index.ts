import type { ModelConfig } from "../../protocol/model.ts";
import type { StoredTensor } from "../storedTensors.ts";
import type { Family } from "./family.ts";
import { gemma, gemma2, gemma3 } from "./gemma.ts";
import { gpt2, gptNeox } from "./gpt.ts";
import { granite } from "./granite.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { mixtureFamilyOf } from "./mixtures.ts";
import { olmo2 } from "./olmo2.ts";
import { phi3 } from "./phi3.ts";
import { qwen2, qwen3 } from "./qwen.ts";
import { smollm3 } from "./smollm3.ts";

/** The family of a dense model, or of the models that a mixture was made of. */
export const familyOf = ({ family }: Pick<ModelConfig, "family">): Family =>
  (family === undefined ? undefined : families.get(family)) ?? llama;

/** How a model's parameters lie in files. A mixture of the type "btx" has them under their own names. */
export const storedTensors = (config: ModelConfig): StoredTensor[] =>
  (config.moe ? mixtureFamilyOf(config) : familyOf(config))?.stored?.(config) ?? [];

/** The families of dense models, by their type. */
export const families: ReadonlyMap<string, Family> = new Map(
  [llama, mistral, qwen2, qwen3, phi3, gemma, gemma2, gemma3, olmo2, granite, smollm3, gptNeox, gpt2].map((family) => [
    family.type,
    family,
  ]),
);
