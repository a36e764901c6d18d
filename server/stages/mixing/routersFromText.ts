import { openData } from "../../data/dataset.ts";
import { EMBEDDING, routerName } from "../../parameters/names.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import type { MixSpec } from "../../protocol/stage.ts";
import type { StageContext } from "../context.ts";
import { domainMeans } from "./domainMeans.ts";
import { meanOf, routerRows } from "./routerRows.ts";
import { blockInputs, embeddings } from "./tokenVectors.ts";

/** Maximum number of tokens per batch, unless one sequence is longer. */
const BATCH_TOKENS = 4096;

export interface TextRouters {
  init: NonNullable<MixSpec["routerInit"]>;
  /** Configuration of the models to mix. */
  dense: ModelConfig;
  /** Layers that have a router. */
  layers: readonly number[];
  /** Name of the model that each expert comes from. */
  modelOf: readonly string[];
  /** Mean of a parameter over the models: for "domains" only of the embedding, for "hidden" of any. */
  mean: (name: string) => Float32Array;
}

/**
 * The domains of each expert: its own, or all of them if its model does not belong to a domain (the seed or copies).
 */
export function textsOf(
  modelOf: readonly string[],
  domains: readonly string[],
): { texts: (readonly string[])[]; textOf: number[] } {
  const domainsOf = modelOf.map((model) => (domains.includes(model) ? [model] : domains));
  const keys = domainsOf.map((text) => JSON.stringify(text));
  const different = [...new Set(keys)];
  return {
    texts: different.map((key) => domainsOf[keys.indexOf(key)]!),
    textOf: keys.map((key) => different.indexOf(key)),
  };
}

/**
 * Router weights [E, D] by name, from `tokens` training tokens per domain, sampled with the stage's random seed:
 * - "domains": from the mean embedding of a domain's tokens in the mixed model; the same in every layer;
 * - "hidden": in each layer, from the mean input of its feed-forward block in the model that averages all weights.
 * An expert for several domains uses the mean of their means. `routerRows` turns means into rows.
 *
 * @throws UserError if a domain has less training text than one sequence
 */
export async function routersFromText(
  context: StageContext<MixSpec>,
  { init, dense, layers, modelOf, mean }: TextRouters,
): Promise<Map<string, Float32Array>> {
  const { randomSeed } = context.spec;
  const data = await openData(context.parent("data").folder);
  try {
    const { texts, textOf } = textsOf(modelOf, Object.keys(data.index.domains));
    const sequences = Math.ceil(init.tokens / dense.context);
    const batch = Math.min(sequences, Math.max(1, Math.floor(BATCH_TOKENS / dense.context)));
    const perLayer = init.from === "hidden";
    const vectors = perLayer
      ? await blockInputs(dense, layers, mean, { batch, engine: context.engine })
      : embeddings(mean(EMBEDDING), dense.hidden);
    try {
      const sample = { tokens: init.tokens, batch, context: dense.context, randomSeed };
      const means = await domainMeans(context, data, [...new Set(texts.flat())], sample, vectors);
      return new Map(
        layers.map((layer, i) => {
          const meansOfTexts = texts.map((text) => meanOf(text.map((domain) => means.get(domain)![perLayer ? i : 0]!)));
          const stream = perLayer ? routerName(layer) : "routers";
          return [routerName(layer), routerRows({ means: meansOfTexts, textOf, randomSeed, stream })];
        }),
      );
    } finally {
      await vectors.dispose();
    }
  } finally {
    data.close();
  }
}
