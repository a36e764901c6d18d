import { UserError } from "../protocol/errors.ts";
import type { Saturation } from "../protocol/inspect.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { decidingChoices, type RoutedWindow } from "../routing/routedWindows.ts";
import { type ComparedTokens, saturation as routerSaturation, type TokenExperts } from "../routing/saturation.ts";
import { heldOutRouting, type Watch } from "./heldOut.ts";
import type { WarmModel } from "./warmModels.ts";

/** Router saturation of `other` with respect to `model`; see `inspections.saturation`. */
export async function saturation(model: WarmModel, other: WarmModel, watch: Watch): Promise<Saturation> {
  const config = model.config();
  const { moe } = config;
  if (!moe || JSON.stringify(comparable(model)) !== JSON.stringify(comparable(other)))
    throw new UserError(
      `the routing of "${other.name}" cannot be compared with that of "${model.name}": they differ in experts, layers, K, context or vocabulary`,
    );
  const half = (from: number): Watch => ({
    ...watch,
    progress: ({ done, total }) => watch.progress({ done: from * total + done, total: 2 * total }),
  });
  const then = await heldOutRouting(other, model.found, half(0));
  const now = await heldOutRouting(model, model.found, half(1));
  const domains = [...new Set(now.map(({ domain }) => domain))];
  const values = routerSaturation(comparedWindows(then, now, config, domains), moe.layers.length, domains.length);
  const rows = moe.layers.map((_, layer) => [
    ...values.subarray(layer * (domains.length + 1), (layer + 1) * (domains.length + 1)),
  ]);
  return { layers: moe.layers, domains, saturation: rows };
}

/** Windows of the same text, layer by layer. */
function* comparedWindows(
  then: readonly RoutedWindow[],
  now: readonly RoutedWindow[],
  config: ModelConfig,
  domains: readonly string[],
): Generator<ComparedTokens> {
  const experts = ({ choices }: RoutedWindow, layer: number): TokenExperts => ({
    experts: choices.experts,
    start: layer * choices.tokens * choices.k,
    slots: choices.k,
  });
  for (const [at, window] of now.entries()) {
    const earlier = then[at];
    if (!earlier) throw new Error("two models have different windows of the same text");
    const domain = domains.indexOf(window.domain);
    const { layers, tokens } = window.choices;
    for (let layer = 0; layer < layers; layer++) {
      const k = decidingChoices(config, layer);
      yield { layer, domain, tokens, k, before: experts(earlier, layer), now: experts(window, layer) };
    }
  }
}

/** What two models must share for their choices to be compared. */
const comparable = (model: WarmModel): unknown => {
  const { vocab, context, moe } = model.config();
  const k = moe?.layers.map((_, position) => decidingChoices(model.config(), position));
  return { vocab, context, experts: moe?.experts, layers: moe?.layers, k };
};
