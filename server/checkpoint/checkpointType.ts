import type { ModelConfig } from "../protocol/model.ts";

export type CheckpointType = "llama" | "mixtral" | "btx";

/**
 * The Hugging Face model type that can hold a model. A dense model is a Llama; one whose feed-forward blocks are all
 * Mixtures-of-Experts, without biases, whose router is top-k with the softmax after it, is a Mixtral. What neither can
 * say is of the type "btx".
 */
export function checkpointType(config: ModelConfig): CheckpointType {
  if (!config.moe) return "llama";
  const { layers, router } = config.moe;
  const everywhere = layers.length === config.layers;
  const routed = router.type === "top-k" && router.softmax === undefined && router.balance !== "bias";
  return everywhere && routed && !config.attentionBias && !config.ffnBias ? "mixtral" : "btx";
}
