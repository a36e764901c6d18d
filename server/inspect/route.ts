import { UserError } from "../protocol/errors.ts";
import type { Inspected, RoutedText } from "../protocol/inspect.ts";
import { type CellMeasure, cellMeasureSchema } from "../protocol/measures.ts";
import { expertsPerToken, type ModelConfig } from "../protocol/model.ts";
import { rounded } from "../routing/choices.ts";
import { binShares, cells, layerMeasures, measured, type RoutingCounts } from "../routing/measures.ts";
import type { RoutedWindow } from "../routing/routedWindows.ts";
import { vocabularySpecialisation } from "../routing/vocabularySpecialisation.ts";
import { forward } from "./forward.ts";
import { tokenPlaces } from "./places.ts";
import type { WarmModel } from "./warmModel.ts";

/** Choices that are told of one text at most: L * N * K. */
const mostTold = 2_000_000;

/** Where each token of a text goes; see `inspections.route`. */
export async function route(
  model: WarmModel,
  { text, off, k, ...asked }: Omit<Inspected<"route">, "model">,
  signal: AbortSignal,
): Promise<RoutedText> {
  const { tokenizer } = model.opened;
  const axes = model.axes(k);
  const mask = model.mask(off);
  const ids = tokenizer.encode(text);
  const told = axes.layers.length * ids.length * axes.k;
  if (told > mostTold)
    throw new UserError(`the text has ${ids.length} tokens, too many to be routed at once: select a part of it`);
  const counts = asked.measured === true && ids.length > 0;
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
    ...choices.told(),
    surprise: Array.from(surprise, (nats) => (Number.isNaN(nats) ? null : rounded(nats))),
    predicted,
    ...(rest.counts
      ? { measures: measuresOf(model.config(k), rest.counts, { domain: "", ids, likeliest, choices }) }
      : {}),
  };
}

/** The measures of a text, from the counts of all its tokens and from where each goes. */
function measuresOf(
  config: ModelConfig,
  counts: Record<string, Float64Array>,
  window: RoutedWindow,
): RoutedText["measures"] {
  const moe = config.moe!;
  const [L, E] = [moe.layers.length, moe.experts.length];
  const none = new Float64Array(0);
  const { routedTokens = none, gateMass = none, probability = none, entropy = none, histogram = none } = counts;
  const k = moe.layers.map((_, position) => expertsPerToken(moe, position));
  const vocabulary = {
    vocabularyInput: vocabularySpecialisation([window], config, [window.domain], "input"),
    vocabularyPredicted: vocabularySpecialisation([window], config, [window.domain], "predicted"),
  };
  const all: RoutingCounts = { shape: [L, 1, E], routedTokens, gateMass, probability, entropy, vocabulary, k };
  // [1 + 1, L, E] of which the first is the text
  const told = (measure: CellMeasure) => Array.from(cells(all, measure).subarray(0, L * E), rounded);
  return {
    cells: Object.fromEntries(measured(all, cellMeasureSchema.options).map((measure) => [measure, told(measure)])),
    layers: layerMeasures(all)[0]!,
    histogram: Array.from(binShares(histogram), rounded),
  };
}
