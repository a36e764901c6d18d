import { countedNll, evaluationInputs } from "../evaluation/evaluationBatches.ts";
import type { InspectionParams, Without } from "../protocol/inspect.ts";
import { heldOutBatches, type Watch, withHeldOut } from "./heldOut.ts";
import type { WarmModel } from "./warmModels.ts";

interface DomainLoss {
  domain: string;
  nats: number;
  tokens: number;
}

/** Held-out losses with and without an expert, in one layer or in all, on the windows of the model's evaluation. */
export async function without(
  model: WarmModel,
  { expert, layer }: Omit<InspectionParams<"without">, "model">,
  watch: Watch,
): Promise<Without> {
  const all = model.mask();
  const fewer = model.mask([expert], layer);
  const parts = model.known.has("losses") ? 1 : 2;
  const halves = (from: number): Watch => ({
    ...watch,
    progress: ({ done, total }) => watch.progress({ done: from * total + done, total: parts * total }),
  });
  const known = model.known.get("losses") as DomainLoss[] | undefined;
  const usual = known ?? (await losses(model, all, halves(0)));
  model.known.set("losses", usual);
  const changed = await losses(model, fewer, halves(parts - 1));
  return {
    domains: usual.map(({ domain, nats, tokens }, i) => ({
      domain,
      with: nats,
      without: changed[i]!.nats,
      tokens,
    })),
  };
}

function losses(model: WarmModel, mask: { mask?: Float32Array }, watch: Watch): Promise<DomainLoss[]> {
  return withHeldOut(model.found, async (data, spec) => {
    const config = model.config();
    const program = await model.evaluation(spec.batch, spec.domains.length);
    const domains = spec.domains.map((domain) => ({ domain, nats: 0, tokens: 0 }));
    for await (const batch of heldOutBatches(config, data, spec, watch)) {
      const { nll } = await program.run({ ...evaluationInputs(config, batch, spec.batch), ...mask });
      const counted = countedNll(batch, nll);
      const loss = domains[batch.domainIndex]!;
      loss.nats += counted.reduce((sum, value) => sum + value, 0);
      loss.tokens += counted.length;
    }
    return domains.map(({ domain, nats, tokens }) => ({ domain, nats: nats / tokens, tokens }));
  });
}
