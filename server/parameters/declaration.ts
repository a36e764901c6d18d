import type { ParameterGroup } from "../protocol/stage.ts";

/** A parameter's values before training. */
export type StartValues =
  | { type: "ones" }
  | { type: "zeros" }
  /** Independent normal numbers with mean 0 and this standard deviation. */
  | { type: "normal"; deviation: number }
  /** A matrix [rows, columns] with orthogonal rows, or columns if there are fewer columns, each of length `gain`. */
  | { type: "orthogonal"; gain: number };

/**
 * Everything about a parameter except its values. Each block and router declares its own parameters in one place;
 * shapes, start values, freezing, weight decay, counts and checkpoints all follow from that list.
 */
export interface ParameterDeclaration {
  name: string;
  /** Linear weights are [out, in]. */
  shape: number[];
  start: StartValues;
  /** The group by which it can be frozen. */
  group: ParameterGroup;
  /** Name of the expert that it belongs to, if any. */
  expert?: string;
  /** Whether AdamW's weight decay applies to it: true for matrices, false for norms and biases. */
  decays: boolean;
  /** "gradient": the optimizer updates it. "rule": something else does, as for the routers' balancing bias. */
  follows: "gradient" | "rule";
}

/** Number of values in a parameter. */
export const sizeOf = ({ shape }: Pick<ParameterDeclaration, "shape">): number =>
  shape.reduce((size, length) => size * length, 1);

/** Total number of values in these parameters. */
export const totalSize = (parameters: readonly ParameterDeclaration[]): number =>
  parameters.reduce((sum, parameter) => sum + sizeOf(parameter), 0);

/** Standard deviation of the normal numbers that matrices start from, as in GPT-2. */
export const STANDARD_DEVIATION = 0.02;

interface Matrix extends Pick<ParameterDeclaration, "name" | "shape" | "group"> {
  expert?: string | undefined;
  /** Default: `STANDARD_DEVIATION`. */
  deviation?: number;
}

/** A matrix that starts from normal numbers and is trained with weight decay. */
export const matrix = ({
  name,
  shape,
  group,
  expert,
  deviation = STANDARD_DEVIATION,
}: Matrix): ParameterDeclaration => ({
  name,
  shape,
  start: { type: "normal", deviation },
  group,
  ...(expert === undefined ? {} : { expert }),
  decays: true,
  follows: "gradient",
});

/** A bias [out], which starts at 0. */
export const bias = ({ name, shape, group, expert }: Omit<Matrix, "deviation">): ParameterDeclaration => ({
  name,
  shape,
  start: { type: "zeros" },
  group,
  ...(expert === undefined ? {} : { expert }),
  decays: false,
  follows: "gradient",
});

interface LinearLayer extends Omit<Matrix, "shape"> {
  /** Widths of its output and input. */
  out: number;
  input: number;
  hasBias: boolean;
}

/** One linear layer: `name.weight` [out, in] and, with `hasBias`, `name.bias` [out]. */
export function linearLayer({ name, out, input, hasBias, ...rest }: LinearLayer): ParameterDeclaration[] {
  const weight = matrix({ ...rest, name: `${name}.weight`, shape: [out, input] });
  return hasBias ? [weight, bias({ ...rest, name: `${name}.bias`, shape: [out] })] : [weight];
}

/**
 * Standard deviation of the two matrices per layer that write into the residual stream: 0.02 / sqrt(2 L), as in GPT-2.
 */
export const residualDeviation = (layers: number): number => STANDARD_DEVIATION / Math.sqrt(2 * layers);
