import { openData } from "../../../server/data/dataset.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import type { EvaluateSpec } from "../../../server/protocol/stage.ts";
import type { Parameters } from "../../../server/stages/model.ts";
import { referenceLogits, softmax, type Weights } from "../model/reference.ts";
import { documentsOf, stageWithData, tiny } from "./support.ts";

/** A mixture of three experts in both layers. */
export const mixture: ModelConfig = {
  ...tiny,
  moe: { experts: ["x", "y", "z"], layers: [0, 1], router: { type: "top-k", k: 2, loadBalance: 0.01 } },
};
export const spec = (more: Partial<EvaluateSpec> = {}): EvaluateSpec => ({
  kind: "evaluate",
  domains: ["letters", "digits"],
  tokens: 10_000,
  batch: 3,
  answers: 0,
  ...more,
});

/** The folder of a data stage with the domains `letters` and `digits`. */
export const twoDomains = () =>
  stageWithData({
    letters: { documents: documentsOf("abcdeé", 8, 21) },
    digits: { documents: documentsOf("0123", 6, 15) },
  });

/** Parameters as the reference model of plain loops reads them. */
const toWeights = (parameters: Parameters): Weights =>
  new Map(
    [...parameters].map(([name, { shape, data }]) => {
      const width = shape.at(-1)!;
      return [name, Array.from({ length: data.length / width }, (_, i) => [...data.slice(i * width, (i + 1) * width)])];
    }),
  );

/** Ids of a domain's held-out text. */
export async function heldOut(folder: string, domain: string): Promise<number[]> {
  const data = await openData(folder);
  const file = data.split(domain, "heldout");
  const ids = [...file.read(0, file.length)];
  data.close();
  return ids;
}

/** Negative log-likelihood of all tokens but the first, context by context, by plain loops. */
export function slowNll(
  config: ModelConfig,
  parameters: Parameters,
  ids: number[],
  noiseOf: (window: number) => number[][][] | undefined = () => undefined,
): number[] {
  const weights = toWeights(parameters);
  const nll: number[] = [];
  for (let start = 0; start < ids.length - 1; start += config.context) {
    const piece = ids.slice(start, start + config.context + 1);
    const scores = referenceLogits(weights, piece.slice(0, -1), config, noiseOf(start / config.context));
    scores.forEach((row, t) => {
      nll.push(-Math.log(softmax(row)[piece[t + 1]!]!));
    });
  }
  return nll;
}

export const sum = (numbers: number[]): number => numbers.reduce((total, x) => total + x, 0);
