import {
  type Inspection,
  type InspectionNews,
  type InspectionParams,
  type InspectionResult,
  inspections,
} from "../protocol/inspect.ts";
import { expertFacts } from "./expertFacts.ts";
import { route } from "./route.ts";
import { sample } from "./sample.ts";
import { saturation } from "./saturation.ts";
import type { WarmModels } from "./warmModels.ts";
import { without } from "./without.ts";

/** The models, a signal that cancels an inspection, and a listener for news. */
export interface InspectionContext {
  models: WarmModels;
  signal: AbortSignal;
  report(news: unknown): void;
}

type Handlers = {
  [I in Inspection]: (
    params: InspectionParams<I>,
    context: Omit<InspectionContext, "report"> & { report(news: InspectionNews<I>): void },
  ) => Promise<InspectionResult<I>>;
};

const handlers: Handlers = {
  route: async ({ model, ...params }, { models, signal }) => route(await models.get(model), params, signal),
  sample: async ({ model, ...params }, { models, signal, report }) =>
    sample(await models.get(model), params, report, signal),
  without: async ({ model, ...params }, { models, signal, report }) =>
    without(await models.get(model), params, { signal, progress: report }),
  expert: async ({ model, ...params }, { models, signal, report }) =>
    expertFacts(await models.get(model), params, { signal, progress: report }),
  saturation: async ({ model, other }, { models, signal, report }) =>
    saturation(await models.get(model), await models.get(other), { signal, progress: report }),
};

/** Answers an inspection. @throws UserError, or the signal's reason if it is aborted */
export async function answer(inspection: Inspection, params: unknown, context: InspectionContext): Promise<unknown> {
  const work = handlers[inspection] as (params: unknown, context: InspectionContext) => Promise<unknown>;
  return await work(inspections[inspection].params.parse(params), context);
}
