import { type ModelConfig, mixedExperts } from "../protocol/model.ts";
import type { Experiment } from "./resolve.ts";

/** The mixed model's configuration. @param dense configuration of the models that are mixed. */
export function mixedModel({ mix, moeLayers }: Pick<Experiment, "mix" | "moeLayers">, dense: ModelConfig): ModelConfig {
  const layers = moeLayers ?? Array.from({ length: dense.layers }, (_, layer) => layer);
  const { router, split = 1 } = mix;
  return {
    ...dense,
    moe: { experts: mixedExperts(mix), layers, router, ...(split === 1 ? {} : { ffn: dense.ffn / split }) },
  };
}
