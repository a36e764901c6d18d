import { UserError } from "../protocol/errors.ts";
import type { Saturation } from "../protocol/inspect.ts";
import { decidingChoices } from "../routing/routedWindows.ts";
import type { Watch } from "./heldOut.ts";
import { heldOutRouting } from "./heldOutRouting.ts";
import type { WarmModel } from "./warmModel.ts";

/** Router saturation of another model against `model`; see `inspections.saturation`. */
export async function saturation(model: WarmModel, other: WarmModel, watch: Watch): Promise<Saturation> {
  const config = model.config();
  const { moe } = config;
  if (!moe || JSON.stringify(comparable(model)) !== JSON.stringify(comparable(other)))
    throw new UserError(
      `the routing of "${other.name}" cannot be compared with that of "${model.name}": they have not the same experts in the same layers, K, context and vocabulary`,
    );
  const half = (from: number): Watch => ({
    ...watch,
    progress: ({ done, total }) => watch.progress({ done: from * total + done, total: 2 * total }),
  });
  const then = await heldOutRouting(other, model.found, half(0));
  const now = await heldOutRouting(model, model.found, half(1));
  const domains = [...new Set(now.map(({ domain }) => domain))];
  const rows = moe.layers.map((_, position) => {
    const k = decidingChoices(config, position);
    const [same, all] = [domains.map(() => 0), domains.map(() => 0)];
    for (const [i, { domain, choices }] of now.entries()) {
      const index = domains.indexOf(domain);
      for (let token = 0; token < choices.tokens; token++) {
        const before = then[i]!.choices.of(position, token).subarray(0, k);
        for (const expert of choices.of(position, token).subarray(0, k)) {
          if (expert >= 0 && before.includes(expert)) same[index]!++;
        }
        all[index]! += k;
      }
    }
    const sum = (counts: number[]) => counts.reduce((total, count) => total + count, 0);
    return [...domains.map((_, index) => same[index]! / all[index]!), sum(same) / sum(all)];
  });
  return { layers: moe.layers, domains, saturation: rows };
}

/** What must be equal where choices are compared. */
const comparable = (model: WarmModel): unknown => {
  const { vocab, context, moe } = model.config();
  const k = moe?.layers.map((_, position) => decidingChoices(model.config(), position));
  return { vocab, context, experts: moe?.experts, layers: moe?.layers, k };
};
