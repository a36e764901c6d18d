import type { ParameterGroup } from "../protocol/stage.ts";

/** A parameter's values before training. */
export type StartValues =
  | { type: "ones" }
  | { type: "zeros" }
  /** Independent normal numbers with mean 0. */
  | { type: "normal"; deviation: number }
  /** A matrix [rows, columns] with orthogonal rows, or columns where those are fewer, each of length `gain`. */
  | { type: "orthogonal"; gain: number };

/**
 * What is known of a parameter without its values. Every block and every router declares its own, once; shapes, start
 * values, freezing, weight decay, counts and checkpoints all follow from that list.
 */
export interface Declared {
  name: string;
  /** Linear weights are [out, in]. */
  shape: number[];
  start: StartValues;
  /** What leaves it untrained when it is frozen. */
  group: ParameterGroup;
  /** Name of the expert that it belongs to; absent for all that is no expert's. */
  expert?: string;
  /** Whether AdamW's weight decay applies to it: to matrices, not to norms and biases. */
  decays: boolean;
  /** "gradient": the optimizer moves it; "rule": something else does, as the routers' balancing bias. */
  follows: "gradient" | "rule";
}

/** Number of values of a parameter. */
export const sizeOf = ({ shape }: Pick<Declared, "shape">): number => shape.reduce((size, length) => size * length, 1);

/** Number of values of all of them. */
export const totalSize = (parameters: readonly Declared[]): number =>
  parameters.reduce((sum, parameter) => sum + sizeOf(parameter), 0);

/** Deviation of the normal numbers that matrices start from, as in GPT-2. */
export const STANDARD_DEVIATION = 0.02;

interface Matrix extends Pick<Declared, "name" | "shape" | "group"> {
  expert?: string | undefined;
  /** `STANDARD_DEVIATION` where it is left out. */
  deviation?: number;
}

/** A matrix that starts from normal numbers and is trained with weight decay. */
export const matrix = ({ name, shape, group, expert, deviation = STANDARD_DEVIATION }: Matrix): Declared => ({
  name,
  shape,
  start: { type: "normal", deviation },
  group,
  ...(expert === undefined ? {} : { expert }),
  decays: true,
  follows: "gradient",
});

/** A bias [out], which starts at 0. */
export const bias = ({ name, shape, group, expert }: Omit<Matrix, "deviation">): Declared => ({
  name,
  shape,
  start: { type: "zeros" },
  group,
  ...(expert === undefined ? {} : { expert }),
  decays: false,
  follows: "gradient",
});

interface LinearLayer extends Omit<Matrix, "shape"> {
  /** Width of what it gives, and of what it takes. */
  out: number;
  input: number;
  hasBias: boolean;
}

/** One linear layer: `name.weight` [out, in] and, with `hasBias`, `name.bias` [out]. */
export function linearLayer({ name, out, input, hasBias, ...rest }: LinearLayer): Declared[] {
  const weight = matrix({ ...rest, name: `${name}.weight`, shape: [out, input] });
  return hasBias ? [weight, bias({ ...rest, name: `${name}.bias`, shape: [out] })] : [weight];
}

/** Deviation of the layers that write into the residual stream, two a layer: 0.02 / sqrt(2 L), as in GPT-2. */
export const residualDeviation = (layers: number): number => STANDARD_DEVIATION / Math.sqrt(2 * layers);
