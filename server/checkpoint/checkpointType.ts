import type { ModelConfig } from "../protocol/model.ts";
import { mixtureFamilyOf } from "./families/mixtures.ts";

/**
 * The Hugging Face model type that a model is written as. A dense model is of its own family; a mixture of the type
 * that computes exactly the same, such as "mixtral"; what none computes is of the type "btx".
 */
export const checkpointType = (config: ModelConfig): string =>
  config.moe ? (mixtureFamilyOf(config)?.type ?? "btx") : (config.family ?? "llama");
