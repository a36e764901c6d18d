import type { Engine } from "../../engine/engine.ts";
import { UserError } from "../../protocol/errors.ts";
import type { Phase } from "../../protocol/stage.ts";

/** What keeps training from beginning, and what ends it before NaN or infinity can be saved. */

/** Where training stands when a number is none. */
export interface Standing {
  step: number;
  learningRate: number;
  loss: number;
  gradientNorm: number;
  /** The step was computed in it. */
  float16?: boolean;
}

const goOn = (float16?: boolean): string =>
  `lower the learning rate${float16 ? " or set `precision: float32`" : ""}, then run again; the last checkpoint is kept`;

/** @throws UserError when the loss or the gradient norm of a step is NaN or infinite */
export function assertFiniteStep({ step, learningRate, loss, gradientNorm, float16 }: Standing): void {
  if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) return;
  const what = Number.isFinite(loss) ? `the gradient norm is ${gradientNorm}` : `the loss is ${loss}`;
  const rest = Number.isFinite(loss) ? `loss ${brief(loss)}` : `gradient norm ${brief(gradientNorm)}`;
  throw new UserError(`${what} at step ${step} (learning rate ${brief(learningRate)}, ${rest}): ${goOn(float16)}`);
}

/** @throws UserError naming the first tensor with a value that is NaN or infinite, though the step's loss was not */
export function assertFiniteTensor(name: string, data: ArrayLike<number>, after?: Standing): void {
  // A product with 0 is 0, or NaN where there is a NaN or an infinity; sums keep it.
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]! * 0;
  if (sum === 0) return;
  const facts = after
    ? ` after step ${after.step} (learning rate ${brief(after.learningRate)}, gradient norm ${brief(after.gradientNorm)})`
    : "";
  throw new UserError(`"${name}" has values that are no numbers${facts}: ${goOn(after?.float16)}`);
}

const brief = (value: number): string => (Number.isFinite(value) ? value.toPrecision(3) : String(value));

/** @throws UserError where phases are to be trained in float16 and `engine` has none: nothing is computed in float32 instead */
export async function assertPrecision(phases: readonly Phase[], engine: Engine): Promise<void> {
  if (!phases.some(({ training }) => training.precision === "float16")) return;
  const why = await engine.whyNotFloat16();
  if (why)
    throw new UserError(
      `\`precision: float16\` cannot be had on ${engine.device} (${engine.description}): ${why}; set \`precision: float32\`, or name another device in \`devices\``,
    );
}
