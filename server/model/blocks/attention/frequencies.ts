import type { RopeScaling } from "../../../protocol/architecture.ts";
import type { ModelConfig } from "../../../protocol/model.ts";

/** Width of the part of a head that is rotated; even. */
export const rotatedWidth = ({ headSize, ropeShare = 1 }: Pick<ModelConfig, "headSize" | "ropeShare">): number =>
  Math.floor(headSize * ropeShare);

/** Rotary frequencies of a head, and the factor of cosines and sines. */
export interface Frequencies {
  /** Angle per position of pair i, radians: [rotatedWidth / 2]. */
  angles: number[];
  attention: number;
}

type Rope = Pick<ModelConfig, "headSize" | "ropeShare" | "ropeTheta" | "ropeScaling">;

/**
 * Frequencies for a pass over at most `length` positions: theta^(-2i / width), scaled as the model asks for. Formulas as
 * in Hugging Face's `modeling_rope_utils.py`.
 */
export function frequencies(config: Rope, length: number): Frequencies {
  const width = rotatedWidth(config);
  const pairs = Array.from({ length: width / 2 }, (_, i) => i);
  const plain = (theta = config.ropeTheta) => pairs.map((i) => theta ** ((-2 * i) / width));
  const { ropeScaling: scaling } = config;
  switch (scaling?.type) {
    case undefined:
      return { angles: plain(), attention: 1 };
    case "linear":
      return { angles: plain().map((angle) => angle / scaling.factor), attention: 1 };
    case "dynamic": {
      const { factor, original } = scaling;
      const growth = (factor * Math.max(length, original)) / original - (factor - 1);
      return { angles: plain(config.ropeTheta * growth ** (width / (width - 2))), attention: 1 };
    }
    case "llama3":
      return { angles: plain().map((angle) => llama3(angle, scaling)), attention: 1 };
    case "yarn":
      return { angles: yarn(plain(), config.ropeTheta, width, scaling), attention: scaling.attention };
    case "longrope": {
      const factors = length > scaling.original ? scaling.long : scaling.short;
      return { angles: plain().map((angle, i) => angle / factors[i]!), attention: scaling.attention };
    }
  }
}

/** Angles of long waves are divided by the factor, those of short ones kept, and those between interpolated. */
function llama3(angle: number, scaling: Extract<RopeScaling, { type: "llama3" }>): number {
  const { factor, lowFrequency, highFrequency, original } = scaling;
  const rotations = (original * angle) / (2 * Math.PI);
  const kept = Math.min(1, Math.max(0, (rotations - lowFrequency) / (highFrequency - lowFrequency)));
  return kept * angle + ((1 - kept) * angle) / factor;
}

/** As llama3, but interpolated by the index of the pair, between those that rotate `betaFast` and `betaSlow` times. */
function yarn(
  plain: number[],
  theta: number,
  width: number,
  { factor, original, betaFast, betaSlow, truncate }: Extract<RopeScaling, { type: "yarn" }>,
): number[] {
  const pairOf = (rotations: number) =>
    (width * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const [first, last] = [pairOf(betaFast), pairOf(betaSlow)];
  const low = Math.max(0, truncate ? Math.floor(first) : first);
  const high = Math.min(width - 1, truncate ? Math.ceil(last) : last);
  const span = high === low ? 0.001 : high - low;
  return plain.map((angle, i) => {
    const divided = Math.min(1, Math.max(0, (i - low) / span));
    return (divided * angle) / factor + (1 - divided) * angle;
  });
}
