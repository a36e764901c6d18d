import type { Engine } from "../../engine/engine.ts";
import { UserError } from "../../protocol/errors.ts";
import type { Phase } from "../../protocol/stage.ts";

/** Errors that prevent training from starting, and checks that end it before NaN or infinity can be saved. */

/** Numbers of the last step, for messages about NaN and infinity. */
export interface LastStep {
  step: number;
  learningRate: number;
  loss: number;
  gradientNorm: number;
  /** Whether the step was computed in float16. */
  float16?: boolean;
}

const remedy = (float16?: boolean): string =>
  `lower the learning rate${float16 ? " or set `precision: float32`" : ""}, then run again; the last checkpoint is kept`;

/** @throws UserError if the loss or the gradient norm of a step is NaN or infinite */
export function assertFiniteStep({ step, learningRate, loss, gradientNorm, float16 }: LastStep): void {
  if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) return;
  const what = Number.isFinite(loss) ? `the gradient norm is ${gradientNorm}` : `the loss is ${loss}`;
  const rest = Number.isFinite(loss) ? `loss ${brief(loss)}` : `gradient norm ${brief(gradientNorm)}`;
  throw new UserError(`${what} at step ${step} (learning rate ${brief(learningRate)}, ${rest}): ${remedy(float16)}`);
}

/** @throws UserError if a tensor contains NaN or infinity, even though the last step's loss was finite */
export function assertFiniteTensor(name: string, data: ArrayLike<number>, after?: LastStep): void {
  // x * 0 is 0 for finite x and NaN otherwise; the sum preserves NaN.
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]! * 0;
  if (sum === 0) return;
  const facts = after
    ? ` after step ${after.step} (learning rate ${brief(after.learningRate)}, gradient norm ${brief(after.gradientNorm)})`
    : "";
  throw new UserError(`"${name}" contains NaN or infinity${facts}: ${remedy(after?.float16)}`);
}

const brief = (value: number): string => (Number.isFinite(value) ? value.toPrecision(3) : String(value));

/** @throws UserError if a phase asks for float16 and `engine` does not support it; there is no fallback to float32 */
export async function assertPrecision(phases: readonly Phase[], engine: Engine): Promise<void> {
  if (!phases.some(({ training }) => training.precision === "float16")) return;
  const why = await engine.whyNotFloat16();
  if (why)
    throw new UserError(
      `\`precision: float16\` is not available on ${engine.device} (${engine.description}): ${why}; set \`precision: float32\`, or name another device in \`devices\``,
    );
}
