import type { Data } from "../data/dataset.ts";

/** Maximum number of tokens of each expert's data that its tf-idf is computed from. */
const sampleTokens = 2_000_000;
/** Tokens of a piece of text that counts as a document for the idf. */
const documentTokens = 512;

/**
 * Similarity of a text to each expert's data: the cosine between the text's tf-idf and the mean tf-idf of the expert's
 * documents. BTX §4.1.2. Terms are tokens. The seed's data is the data of all domains.
 */
export class TfIdf {
  readonly #idf: Float64Array;
  /** Mean tf-idf of each expert, of length 1. */
  readonly #means: Float64Array[];

  private constructor(idf: Float64Array, means: Float64Array[]) {
    this.#idf = idf;
    this.#means = means;
  }

  static async of(data: Data, experts: string[], yieldToSignals: () => Promise<void>): Promise<TfIdf> {
    const { vocab } = data.index;
    const domains = Object.keys(data.index.domains);
    const containing = new Float64Array(vocab);
    let count = 0;
    for (const domain of domains) {
      for (const ids of pieces(data, domain)) {
        for (const id of new Set(ids)) containing[id]!++;
        count++;
        await yieldToSignals();
      }
    }
    // Smoothed as in scikit-learn: ln((1 + n) / (1 + df)) + 1.
    const idf = containing.map((df) => Math.log((1 + count) / (1 + df)) + 1);
    const sums = new Map<string, Float64Array>();
    for (const domain of domains) {
      const sum = new Float64Array(vocab);
      for (const ids of pieces(data, domain)) {
        const terms = new Map<number, number>();
        for (const id of ids) terms.set(id, (terms.get(id) ?? 0) + idf[id]!);
        const length = Math.sqrt([...terms.values()].reduce((total, x) => total + x * x, 0));
        for (const [id, x] of terms) sum[id]! += x / length;
        await yieldToSignals();
      }
      sums.set(domain, sum);
    }
    const means = experts.map((expert) => {
      const own = sums.has(expert) ? [expert] : domains;
      const sum = new Float64Array(vocab).map((_, id) =>
        own.reduce((total, domain) => total + sums.get(domain)![id]!, 0),
      );
      const length = Math.sqrt(sum.reduce((total, x) => total + x * x, 0)) || 1;
      return sum.map((x) => x / length);
    });
    return new TfIdf(idf, means);
  }

  /** A text that grows token by token. */
  text(): { add(token: number): void; similarities(): Float64Array } {
    const dots = new Float64Array(this.#means.length);
    return {
      add: (token) => {
        // The length of the text's vector is common to all experts, so it does not affect their order or ratio.
        this.#means.forEach((mean, j) => {
          dots[j]! += this.#idf[token]! * mean[token]!;
        });
      },
      similarities: () => dots.slice(),
    };
  }
}

/** Pieces of a domain's training text, spread evenly over it. */
function* pieces(data: Data, domain: string): Generator<Int32Array> {
  const file = data.split(domain, "train");
  const total = Math.max(1, Math.ceil(file.length / documentTokens));
  const taken = Math.min(total, Math.ceil(sampleTokens / documentTokens));
  for (let i = 0; i < taken; i++) {
    const start = Math.floor((i * total) / taken) * documentTokens;
    const ids = new Int32Array(Math.min(documentTokens, file.length - start));
    file.read(start, ids.length, ids, 0);
    yield ids;
  }
}
