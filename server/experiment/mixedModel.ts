import type { ModelConfig } from "../protocol/model.ts";
import { type Experiment, expertCount } from "./resolve.ts";

/**
 * The mixed model's configuration. The experts are named as the mix stage names them: after their models, `<model>.<part>`
 * where blocks are split, `blend.<number>` where they are blended.
 * @param dense configuration of the models that are mixed.
 */
export function mixedModel({ mix, moeLayers }: Pick<Experiment, "mix" | "moeLayers">, dense: ModelConfig): ModelConfig {
  const layers = moeLayers ?? Array.from({ length: dense.layers }, (_, layer) => layer);
  const { router, split = 1 } = mix;
  const experts = Array.from({ length: expertCount(mix) }, (_, i) => {
    if (mix.blend) return `blend.${i + 1}`;
    const model = mix.experts[Math.floor(i / split)]!;
    return split === 1 ? model : `${model}.${(i % split) + 1}`;
  });
  return { ...dense, moe: { experts, layers, router, ...(split === 1 ? {} : { ffn: dense.ffn / split }) } };
}
