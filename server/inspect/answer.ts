import {
  type Inspected,
  type Inspection,
  type InspectionNews,
  type InspectionResult,
  inspections,
} from "../protocol/inspect.ts";
import { expertFacts } from "./expertFacts.ts";
import { route } from "./route.ts";
import { sample } from "./sample.ts";
import { saturation } from "./saturation.ts";
import type { WarmModels } from "./warmModels.ts";
import { without } from "./without.ts";

/** What an answer needs: the models, a signal that cancels it, and a listener for news. */
export interface Around {
  models: WarmModels;
  signal: AbortSignal;
  tell(news: unknown): void;
}

type Answerers = {
  [I in Inspection]: (
    asked: Inspected<I>,
    around: Omit<Around, "tell"> & { tell(news: InspectionNews<I>): void },
  ) => Promise<InspectionResult<I>>;
};

const answerers: Answerers = {
  route: async ({ model, ...asked }, { models, signal }) => route(await models.get(model), asked, signal),
  sample: async ({ model, ...asked }, { models, signal, tell }) => sample(await models.get(model), asked, tell, signal),
  without: async ({ model, ...asked }, { models, signal, tell }) =>
    without(await models.get(model), asked, { signal, progress: tell }),
  expert: async ({ model, ...asked }, { models, signal, tell }) =>
    expertFacts(await models.get(model), asked, { signal, progress: tell }),
  saturation: async ({ model, other }, { models, signal, tell }) =>
    saturation(await models.get(model), await models.get(other), { signal, progress: tell }),
};

/** Answers an inspection. @throws UserError, or the signal's reason if it is aborted */
export async function answer(inspection: Inspection, params: unknown, around: Around): Promise<unknown> {
  const asked = inspections[inspection].params.parse(params);
  const work = answerers[inspection] as (asked: unknown, around: Around) => Promise<unknown>;
  return await work(asked, around);
}
