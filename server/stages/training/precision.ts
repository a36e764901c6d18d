import type { Engine } from "../../engine/engine.ts";
import { UserError } from "../../protocol/errors.ts";
import type { Phase } from "../../protocol/stage.ts";

/** @throws UserError where phases are to be trained in float16 and `engine` has none: nothing is computed in float32 instead */
export async function assertPrecision(phases: readonly Phase[], engine: Engine): Promise<void> {
  if (!phases.some(({ training }) => training.precision === "float16")) return;
  const why = await engine.whyNotFloat16();
  if (why)
    throw new UserError(
      `\`precision: float16\` cannot be had on ${engine.device} (${engine.description}): ${why}; set \`precision: float32\`, or name another device in \`devices\``,
    );
}
