import { randomStream } from "../../model/random.ts";

/** Length of the difference between the rows of experts that stand for the same text; a row's length is 1. */
const DIFFERENCE = 0.02;

/** Shorter than this, beside the longest mean, is rounding. */
const NOTHING = 1e-9;

export interface RowsOptions {
  /** Mean vector [D] of each text. */
  means: readonly Float64Array[];
  /** Index in `means` of the text that each expert stands for (E of them). */
  textOf: readonly number[];
  randomSeed: number;
  /** Names the stream of random numbers. */
  stream: string;
}

const length = (x: Float64Array): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));

/** The plain mean of vectors of one length. */
export const meanOf = (vectors: readonly Float64Array[]): Float64Array =>
  vectors[0]!.map((_, i) => vectors.reduce((sum, vector) => sum + vector[i]!, 0) / vectors.length);

/**
 * A router's weight [E, D] from text, as FlexOlmo's domain embeddings (arXiv 2507.07024) and mergekit's gate modes:
 * row e = (m_e - mean over experts of m) / its length, m_e the mean vector of the text that expert e stands for.
 * Where that difference is nothing, as for a seed that stands for all domains beside one expert each, the row is 0.
 *
 * Experts that stand for the same text (parts of a split expert, copies of the seed) share its row. So that the router
 * can tell them apart, each adds its own random difference: normal with deviation 0.02 / sqrt(D), of length 0.02 or so.
 */
export function routerRows({ means, textOf, randomSeed, stream }: RowsOptions): Float32Array {
  const centre = meanOf(textOf.map((text) => means[text]!));
  const nothing = NOTHING * Math.max(...means.map(length));
  const units = means.map((mean) => {
    const difference = mean.map((x, i) => x - centre[i]!);
    const size = length(difference);
    return size > nothing ? difference.map((x) => x / size) : difference.fill(0);
  });
  const width = centre.length;
  const rows = new Float32Array(textOf.length * width);
  const random = randomStream(randomSeed, stream);
  for (const [expert, text] of textOf.entries()) {
    const isShared = textOf.filter((other) => other === text).length > 1;
    const deviation = isShared ? DIFFERENCE / Math.sqrt(width) : 0;
    for (let i = 0; i < width; i++) rows[expert * width + i] = units[text]![i]! + deviation * random.normal();
  }
  return rows;
}
