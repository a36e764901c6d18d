import type { ModelConfig } from "../protocol/model.ts";

/**
 * The Hugging Face model type that can hold a model. A dense model is of its own family. One whose feed-forward blocks
 * are all Mixtures-of-Experts with a top-k router that has the softmax after it is a Mixtral, if its dense models are
 * Llamas or Mistrals without biases and without scaled rotary embeddings. What none can say is of the type "btx".
 */
export function checkpointType(config: ModelConfig): string {
  const { family = "llama", moe } = config;
  if (!moe) return family;
  const everywhere = moe.layers.length === config.layers;
  const { router } = moe;
  const routed = router.type === "top-k" && router.softmax === undefined && router.balance !== "bias";
  const plain = !config.attentionBias && !config.ffnBias && !config.ropeScaling;
  const likeLlama = family === "llama" || family === "mistral";
  return everywhere && routed && plain && likeLlama ? "mixtral" : "btx";
}
