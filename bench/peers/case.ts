import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSafetensors } from "../../server/checkpoint/writeSafetensors.ts";
import type { ModelConfig } from "../../server/protocol/model.ts";
import { BATCHES, startingWeights, tokenIds, training } from "../program.ts";

/** Writes what a peer reads: the model's sizes and the optimizer's numbers, the weights that ours starts from, the batches that ours takes. */
export async function writeCase(folder: string, config: ModelConfig, sequences: number): Promise<void> {
  writeFileSync(join(folder, "case.json"), JSON.stringify({ config, training }));
  const weights = [...startingWeights(config)].map(([name, { shape, data }]) => {
    return { name, dtype: "F32" as const, shape, data: new Float32Array(data) };
  });
  await writeSafetensors(join(folder, "weights.safetensors"), weights);
  const shape = [BATCHES, sequences, config.context + 1];
  const ids = { name: "ids", dtype: "I32" as const, shape, data: tokenIds(config, sequences) };
  await writeSafetensors(join(folder, "batches.safetensors"), [ids]);
}
