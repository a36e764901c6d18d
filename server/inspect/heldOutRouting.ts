import { keptTokens, type RoutedWindow, routedWindows } from "../routing/routedWindows.ts";
import type { FoundModel } from "../runs/findModel.ts";
import { heldOutBatches, type Watch, withHeldOut } from "./heldOut.ts";
import type { WarmModel } from "./warmModel.ts";

/**
 * Where a model's held-out text goes, by the windows of the evaluation of `evaluated`: the model itself, or one whose text
 * it is to be compared on. Kept with the model.
 */
export async function heldOutRouting(
  model: WarmModel,
  evaluated: FoundModel,
  watch: Watch,
): Promise<readonly RoutedWindow[]> {
  const name = `routing on the text of ${evaluated.run} ${evaluated.stage.name}`;
  const known = model.known.get(name) as RoutedWindow[] | undefined;
  if (known) return known;
  const windows = await withHeldOut(evaluated, async (data, spec) => {
    const config = model.config();
    const program = await model.inspection(spec.batch, config.context);
    const tokens = Math.min(spec.tokens, keptTokens(config, spec.domains.length));
    const routed: RoutedWindow[] = [];
    for await (const batch of heldOutBatches(config, data, { ...spec, tokens }, watch)) {
      const { weights: _, ...inputs } = batch.inputs;
      routed.push(...routedWindows(config, batch, await program.run({ ...inputs, ...model.mask() })));
    }
    return routed;
  });
  model.known.set(name, windows);
  return windows;
}
