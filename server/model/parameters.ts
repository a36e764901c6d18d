import type { ParameterDeclaration } from "../parameters/declaration.ts";
import { trained } from "../parameters/freeze.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { Freeze } from "../protocol/stage.ts";
import { blocksOf, declareModel } from "./declaration.ts";
import { startValues } from "./startValues.ts";

export type Shapes = Map<string, number[]>;

/**
 * All parameters of a model, in the order of the forward pass. Names and shapes follow Hugging Face's Llama, and its
 * Mixtral for Mixture-of-Experts layers.
 */
export const declaredParameters = (config: ModelConfig): ParameterDeclaration[] =>
  blocksOf(declareModel(config)).flatMap(({ parameters }) => parameters);

const shapesOf = (parameters: readonly ParameterDeclaration[]): Shapes =>
  new Map(parameters.map(({ name, shape }) => [name, shape]));

/** Names and shapes of all parameters. */
export const parameterShapes = (config: ModelConfig): Shapes => shapesOf(declaredParameters(config));

/** Names and shapes of the parameters that follow their gradient; see `trained`. */
export const trainedShapes = (config: ModelConfig, freeze?: Freeze): Shapes =>
  shapesOf(trained(declaredParameters(config), freeze));

/** Names of the parameters with weight decay. */
export const decayingParameters = (config: ModelConfig): Set<string> =>
  new Set(declaredParameters(config).flatMap(({ name, decays }) => (decays ? [name] : [])));

/** All parameters of an untrained model; see `startValues`. */
export const initialParameters = (
  config: ModelConfig,
  randomSeed: number,
): Map<string, { shape: number[]; data: Float32Array }> =>
  new Map(
    declaredParameters(config).map((parameter) => [
      parameter.name,
      { shape: parameter.shape, data: startValues(parameter, randomSeed) },
    ]),
  );
