import { UserError } from "../protocol/errors.ts";
import type { InspectionParams, RoutedText } from "../protocol/inspect.ts";
import { type CellMeasure, cellMeasureNames, cellMeasures } from "../protocol/measures.ts";
import { expertsPerToken, type ModelConfig } from "../protocol/model.ts";
import { rounded } from "../routing/choices.ts";
import { binShares, cells, layerRows, type RoutingCounts } from "../routing/measures.ts";
import type { StatisticValues } from "../routing/records.ts";
import type { RoutedWindow } from "../routing/routedWindows.ts";
import { followedStatistics } from "../routing/vocabularySpecialisation.ts";
import { forward } from "./forward.ts";
import { tokenPlaces } from "./tokenPlaces.ts";
import type { WarmModel } from "./warmModels.ts";

/** Maximum number of choices in the answer for one text: L * N * K. */
const maxChoicesOfText = 2_000_000;

/** The routing of each token of a text; see `inspections.route`. */
export async function route(
  model: WarmModel,
  { text, off, k, measured }: Omit<InspectionParams<"route">, "model">,
  signal: AbortSignal,
): Promise<RoutedText> {
  const { tokenizer } = model.opened;
  const axes = model.axes(k);
  const mask = model.mask(off);
  const ids = tokenizer.encode(text);
  const choiceCount = axes.layers.length * ids.length * axes.k;
  if (choiceCount > maxChoicesOfText)
    throw new UserError(`the text has ${ids.length} tokens, too many to route at once: select a part of it`);
  const counts = measured === true && ids.length > 0;
  const { choices, surprise, likeliest, ...rest } = await forward(model, ids, { k, mask, counts, signal });
  const textOf = new Map<number, string>();
  const predicted = Array.from(likeliest, (id) => {
    const known = textOf.get(id) ?? tokenizer.decode([id]);
    textOf.set(id, known);
    return known;
  });
  return {
    ...axes,
    tokens: tokenPlaces(text, ids, tokenizer),
    ...choices.toMessage(),
    surprise: Array.from(surprise, (nats) => (Number.isNaN(nats) ? null : rounded(nats))),
    predicted,
    ...(rest.counts
      ? { measures: measuresOf(model.config(k), rest.counts, { domain: "", ids, likeliest, choices }) }
      : {}),
  };
}

/** The measures of a text, from its routing statistics and from each token's choices. */
function measuresOf(
  config: ModelConfig,
  counted: StatisticValues,
  window: RoutedWindow,
): NonNullable<RoutedText["measures"]> {
  const { moe } = config;
  const [L, E] = [moe?.layers.length ?? 0, moe?.experts.length ?? 0];
  const statistics: StatisticValues = { ...counted, ...followedStatistics([window], config, [window.domain]) };
  const k = moe ? moe.layers.map((_, position) => expertsPerToken(moe, position)) : [];
  const counts: RoutingCounts = { shape: [L, 1, E], statistics, k };
  // [1 + 1, L, E]: the text, then all domains together, which is the text again.
  const valuesOf = (measure: CellMeasure) => Array.from(cells(counts, measure).subarray(0, L * E), rounded);
  const measures = cellMeasureNames.filter((measure) => statistics[cellMeasures[measure].of]);
  return {
    cells: Object.fromEntries(measures.map((measure) => [measure, valuesOf(measure)])),
    layers: layerRows(counts)[0] ?? {},
    histogram: Array.from(binShares(statistics.histogram ?? []), rounded),
  };
}
