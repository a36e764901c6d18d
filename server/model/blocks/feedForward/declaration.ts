import { linearLayer, type ParameterDeclaration, residualDeviation } from "../../../parameters/declaration.ts";
import { type FeedForwardNames, feedForwardNames } from "../../../parameters/names.ts";
import type { ModelConfig } from "../../../protocol/model.ts";
import { type BlockDeclaration, wholeBlock } from "../declaration.ts";

/**
 * How a parameter of a block of width F is cut into parts of equal width and joined again: along the axis of length F.
 * A parameter without such an axis is "divided" by the number of parts, so that the parts' outputs add up to the
 * block's.
 */
export type Cut = { axis: number } | "divided";

/** A parameter of a feed-forward block and how a mix cuts it. */
export interface CutParameter extends ParameterDeclaration {
  cut: Cut;
}

interface Place extends Pick<ParameterDeclaration, "group"> {
  names: FeedForwardNames;
  /** Width of the block (F). */
  width: number;
  expert?: string | undefined;
}

/** Parameters of the feed-forward block of a dense layer or an expert: gate, if any, and up [F, D], down [D, F]. */
export function feedForwardParameters(config: ModelConfig, { names, width, ...rest }: Place): CutParameter[] {
  const { hidden, ffnBias: hasBias, layers } = config;
  const cutAlong = (parameters: ParameterDeclaration[], cuts: Cut[]): CutParameter[] =>
    parameters.map((parameter, i) => ({ ...parameter, cut: cuts[i]! }));
  const into = (name: string) =>
    cutAlong(linearLayer({ ...rest, name, out: width, input: hidden, hasBias }), [{ axis: 0 }, { axis: 0 }]);
  const down = linearLayer({
    ...rest,
    name: names.down,
    out: hidden,
    input: width,
    hasBias,
    deviation: residualDeviation(layers),
  });
  const gate = config.gated === false ? [] : into(names.gate);
  return [...gate, ...into(names.up), ...cutAlong(down, [{ axis: 1 }, "divided"])];
}

/** Parameters of a dense layer's feed-forward block. */
export const denseFeedForwardParameters = (config: ModelConfig, layer: number): CutParameter[] =>
  feedForwardParameters(config, { names: feedForwardNames(layer), width: config.ffn, group: "dense" });

/** Floats kept per row: gate, up, silu(gate) and their product. */
export const keptOfRow = (width: number): number => 4 * width;

/** The feed-forward block of a dense layer. */
export const feedForward = (config: ModelConfig, layer: number): BlockDeclaration =>
  wholeBlock(denseFeedForwardParameters(config, layer), {
    kept: ({ batch, time, share }) => share * batch * time * keptOfRow(config.ffn),
  });
