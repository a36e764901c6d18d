import { setImmediate } from "node:timers/promises";
import { type Data, openData } from "../data/dataset.ts";
import { type EvaluationBatch, evaluationBatches } from "../evaluation/evaluationBatches.ts";
import type { InspectionProgress } from "../protocol/inspect.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { EvaluateSpec } from "../protocol/stage.ts";
import { keptTokens, type RoutedWindow, routedWindows } from "../routing/routedWindows.ts";
import { type FoundModel, heldOutOf } from "../runs/findModel.ts";
import { checkResult } from "../runs/stageFiles.ts";
import type { WarmModel } from "./warmModels.ts";

/** Reports the progress of work on held-out text, and cancels it: it throws the signal's reason between two batches. */
export interface Watch {
  signal: AbortSignal;
  progress(news: InspectionProgress): void;
}

/** Opens the held-out text that a model is evaluated on, and closes it after `work`. */
export async function withHeldOut<T>(
  found: FoundModel,
  work: (data: Data, spec: EvaluateSpec) => Promise<T>,
): Promise<T> {
  const { spec, data: folder } = heldOutOf(found);
  await checkResult(folder, found.run);
  const data = await openData(folder);
  try {
    return await work(data, spec);
  } finally {
    data.close();
  }
}

/** The `evaluationBatches` of all domains; with fewer `tokens` than the evaluation it stops earlier. */
export async function* heldOutBatches(
  config: ModelConfig,
  data: Data,
  spec: Pick<EvaluateSpec, "domains" | "batch" | "tokens">,
  { signal, progress }: Watch,
): AsyncGenerator<EvaluationBatch> {
  const { domains, tokens: most } = spec;
  const total = domains.reduce((sum, domain) => sum + Math.min(most, data.split(domain, "heldout").length), 0);
  let done = 0;
  for (const domain of domains.keys()) {
    for (const batch of evaluationBatches(config, data, spec, domain)) {
      await setImmediate();
      signal.throwIfAborted();
      yield batch;
      for (const weight of batch.inputs.weights) done += weight;
      progress({ done: Math.min(done, total), total });
    }
  }
}

/**
 * Where a model sends the tokens of the held-out text that `evaluated`, the model itself or one compared with it, was
 * evaluated on. Cached in the model.
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
