import { randomStream } from "../../model/random.ts";

/** Expected length of the random difference added to rows that experts share; a row has length 1. */
const DIFFERENCE = 0.02;

/** A difference shorter than this, relative to the longest mean, is a rounding error. */
const NOTHING = 1e-9;

export interface RowsOptions {
  /** Mean vector [D] of each text. */
  means: readonly Float64Array[];
  /** For each of the E experts, the index in `means` of its text. */
  textOf: readonly number[];
  randomSeed: number;
  /** Names the stream of random numbers. */
  stream: string;
}

const length = (x: Float64Array): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));

/** The plain mean of vectors of equal length. */
export const meanOf = (vectors: readonly Float64Array[]): Float64Array =>
  vectors[0]!.map((_, i) => vectors.reduce((sum, vector) => sum + vector[i]!, 0) / vectors.length);

/**
 * A router's weight [E, D] from text, like FlexOlmo's domain embeddings (arXiv 2507.07024) and mergekit's gate modes:
 * row e = (m_e - mean over experts of m) / its length, where m_e is the mean vector of expert e's text.
 * If the difference is zero up to rounding, as for a seed with the text of all domains, the row is 0.
 *
 * Experts with the same text (parts of a split expert, copies of the seed) share its row. So that the router can tell
 * them apart, each adds its own random difference: normal with standard deviation 0.02 / sqrt(D), of length about 0.02.
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
