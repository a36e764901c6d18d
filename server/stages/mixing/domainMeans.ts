import type { Data } from "../../data/dataset.ts";
import { Sampler } from "../../data/sampler.ts";
import { inputsAndTargets } from "../../data/sequences.ts";
import type { MixSpec } from "../../protocol/stage.ts";
import type { StageContext } from "../context.ts";
import type { TextBatch, TokenVectors } from "./tokenVectors.ts";

export interface TextSample {
  /** Tokens per domain. */
  tokens: number;
  /** Sequences per batch (B), and tokens per sequence (T). */
  batch: number;
  context: number;
  randomSeed: number;
}

/** The first `tokens` tokens of a domain's training sequences, in the sampler's order for this random seed. */
export function* textBatches(
  data: Pick<Data, "split">,
  domain: string,
  { tokens, batch, context, randomSeed }: TextSample,
): Generator<TextBatch> {
  const sampler = new Sampler(data, { mixture: { [domain]: 1 }, batch, context, randomSeed });
  for (let seen = 0; seen < tokens; seen += batch * context) {
    const inputs = inputsAndTargets(sampler.next().windows, batch, context).tokens;
    yield { tokens: inputs, weights: Float32Array.from(inputs, (_, n) => (seen + n < tokens ? 1 : 0)) };
  }
}

/**
 * The mean vectors [D] of each domain's sample: one for each layer, or a single one if `vectors` is the same for all.
 */
export async function domainMeans(
  context: StageContext<MixSpec>,
  data: Data,
  domains: readonly string[],
  sample: TextSample,
  vectors: TokenVectors,
): Promise<Map<string, Float64Array[]>> {
  const means = new Map<string, Float64Array[]>();
  for (const [index, domain] of domains.entries()) {
    let totals: Float64Array[] = [];
    for (const batch of textBatches(data, domain, sample)) {
      const sums = await vectors.sums(batch);
      totals = sums.map((sum, i) => Float64Array.from(sum, (x, j) => x + (totals[i]?.[j] ?? 0)));
      context.progress(index, domains.length, domain);
      await context.yieldToSignals();
    }
    means.set(
      domain,
      totals.map((total) => total.map((x) => x / sample.tokens)),
    );
  }
  return means;
}
