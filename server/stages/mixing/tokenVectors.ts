import type { Engine } from "../../engine/engine.ts";
import { Store } from "../../engine/store.ts";
import { blockInputBatch, blockInputSums } from "../../model/blockInputSums.ts";
import { parameterShapes } from "../../model/parameters.ts";
import { HEAD } from "../../parameters/names.ts";
import type { ModelConfig } from "../../protocol/model.ts";

/** Sequences of one domain. */
export interface TextBatch {
  /** [B, T] */
  tokens: Int32Array;
  /** [B, T]: 1 for tokens that count, else 0. */
  weights: Float32Array;
}

/** How a router sees a token: one vector [D] per layer, or the same one for all layers. */
export interface TokenVectors {
  /** Sums of the vectors of a batch's tokens that count: one per layer, or a single one for all layers. */
  sums(batch: TextBatch): Promise<ArrayLike<number>[]>;
  dispose(): Promise<void>;
}

/** A token's row of the embedding [V, D], the same for all layers. */
export function embeddings(embedding: Float32Array, width: number): TokenVectors {
  return {
    async sums({ tokens, weights }) {
      const sum = new Float64Array(width);
      for (const [n, token] of tokens.entries()) {
        for (let i = 0; i < width; i++) sum[i]! += weights[n]! * embedding[token * width + i]!;
      }
      return [sum];
    },
    dispose: async () => {},
  };
}

/** A token's inputs to the feed-forward blocks of these layers of a dense model. */
export async function blockInputs(
  config: ModelConfig,
  layers: readonly number[],
  parameter: (name: string) => Float32Array,
  { batch, engine }: { batch: number; engine: Engine },
): Promise<TokenVectors> {
  const store = new Store();
  for (const [name, shape] of parameterShapes(config)) if (name !== HEAD) store.set(name, shape, parameter(name));
  const program = await engine.compile(blockInputSums(config, layers), store, blockInputBatch(config, batch));
  return {
    async sums({ tokens, weights }) {
      const sums = (await program.run({ tokens, weights })).sums as Float32Array;
      return layers.map((_, i) => sums.subarray(i * config.hidden, (i + 1) * config.hidden));
    },
    dispose: () => program.dispose(),
  };
}
