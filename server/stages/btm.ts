import { type Data, openData } from "../data/dataset.ts";
import { byteLengths, heldOutWindows, targetBytes } from "../data/heldOut.ts";
import { readBoundedSync } from "../disk/open.ts";
import { UserError } from "../protocol/errors.ts";
import type { BtmSpec, DomainLoss } from "../protocol/stage.ts";
import type { StageContext, StageWork } from "./context.ts";
import { nllPath, readWindows } from "./heldOutNll.ts";
import { TfIdf } from "./tfIdf.ts";

/**
 * Branch-Train-Merge: the ensemble of the experts without further training (arXiv 2208.03306). p(x_t) is the mean of
 * the experts' probabilities, with weights that depend on the preceding tokens. Needs only the probability that each
 * expert gave each target, which the experts' evaluations have written.
 * - "tf-idf", as in BTX §4.1.2: the k experts whose data is most similar to the text so far, with equal weights;
 * - "bayes": the k largest values of the posterior over experts, uniform at the start of a window and then updated
 *   after each token.
 */
export const btm: StageWork<BtmSpec> = async (context) => {
  const { spec } = context;
  const data = await openData(context.parent("data").folder);
  try {
    const [first] = spec.experts;
    const { context: length, batch, maxTokens } = await readWindows(context.parent(`expert:${first}`).folder);
    const weigh = spec.weights === "bayes" ? bayes(spec) : await tfIdf(context, data);
    const bytesOfToken = byteLengths(data.tokenizer);
    const losses: Record<string, DomainLoss> = {};
    for (const domain of spec.domains) {
      const nll = spec.experts.map((expert) => readNll(nllPath(context.parent(`expert:${expert}`).folder, domain)));
      let [sum, tokens, bytes] = [0, 0, 0];
      for (const window of heldOutWindows(data.split(domain, "heldout"), { context: length, batch, maxTokens })) {
        for (let row = 0; row < batch; row++) {
          const ids = window.tokens.subarray(row * (length + 1), (row + 1) * (length + 1));
          const count = window.weights.subarray(row * length, (row + 1) * length).filter((weight) => weight > 0).length;
          const ofWindow = nll.map((values) => values.subarray(tokens, tokens + count));
          sum += ensembleNll(ids, ofWindow, weigh());
          tokens += count;
        }
        bytes += targetBytes(window, bytesOfToken);
        await context.yieldToSignals();
      }
      if (nll.some((values) => values.length !== tokens)) {
        throw new UserError(
          `the experts' evaluations of "${domain}" cover different text than the data: remove their stages and run again`,
        );
      }
      losses[domain] = { nats: sum / tokens, bitsPerByte: sum / Math.LN2 / bytes, tokens, bytes };
    }
    const tokens = Object.values(losses).reduce((sum, loss) => sum + loss.tokens, 0);
    return { tokens, losses };
  } finally {
    data.close();
  }
};

/** Weights of the experts for the next token. Between two calls of `weights`, `see` must be called with the token. */
export interface Weighting {
  weights(): Float64Array;
  /** Takes the next token and its log-likelihood under each expert, absent for a window's first token. */
  see(token: number, logLikelihoods?: Float64Array): void;
}

/** Sum over a window's targets of -log sum_j w_j p_j: ids [T + 1], nll of each expert [count]. */
export function ensembleNll(ids: Int32Array, nll: Float32Array[], weighting: Weighting): number {
  let sum = 0;
  weighting.see(ids[0]!);
  for (let t = 0; t < nll[0]!.length; t++) {
    const weights = weighting.weights();
    const logs = Float64Array.from(nll, (values) => -values[t]!);
    const largest = Math.max(...logs.filter((_, j) => weights[j]! > 0));
    let probability = 0;
    for (let j = 0; j < logs.length; j++) probability += weights[j]! * Math.exp(logs[j]! - largest);
    sum -= Math.log(probability) + largest;
    weighting.see(ids[t + 1]!, logs);
  }
  return sum;
}

/** Indices of the k largest `scores`; ties go to the earlier one. */
const places = (scores: Float64Array, k: number): number[] =>
  [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, k);

/** Keeps the k largest of `scores`, which are not all 0, and scales them to sum 1; ties go to the earlier expert. */
export function largest(scores: Float64Array, k: number): Float64Array {
  const kept = places(scores, k);
  const total = kept.reduce((sum, j) => sum + scores[j]!, 0);
  const weights = new Float64Array(scores.length);
  for (const j of kept) weights[j] = scores[j]! / total;
  return weights;
}

/** Equal weights for the k largest of `scores`, however small they are; ties go to the earlier expert. */
export function nearest(scores: Float64Array, k: number): Float64Array {
  const kept = places(scores, k);
  const weights = new Float64Array(scores.length);
  for (const j of kept) weights[j] = 1 / kept.length;
  return weights;
}

/** p(D = j | x_<t), proportional to p(x_<t | D = j); uniform before the first token. Branch-Train-Merge §2.2. */
export const bayes =
  ({ experts, k }: Pick<BtmSpec, "experts" | "k">) =>
  (): Weighting => {
    const logs = new Float64Array(experts.length);
    return {
      weights() {
        const highest = Math.max(...logs);
        return largest(
          logs.map((log) => Math.exp(log - highest)),
          k,
        );
      },
      see(_, logLikelihoods) {
        logLikelihoods?.forEach((log, j) => {
          logs[j]! += log;
        });
      },
    };
  };

async function tfIdf(context: StageContext<BtmSpec>, data: Data): Promise<() => Weighting> {
  const { experts, k } = context.spec;
  const index = await TfIdf.of(data, experts, context.yieldToSignals);
  return () => {
    const text = index.text();
    return {
      // Equal weights: the output distributions of the k most similar experts are averaged.
      weights: () => nearest(text.similarities(), k),
      see: (token) => text.add(token),
    };
  };
}

function readNll(path: string): Float32Array {
  const bytes = readBoundedSync(path, 2 ** 32);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
