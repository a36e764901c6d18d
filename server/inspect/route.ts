import { UserError } from "../protocol/errors.ts";
import type { Inspected, RoutedText } from "../protocol/inspect.ts";
import { rounded } from "./choices.ts";
import { forward } from "./forward.ts";
import { tokenPlaces } from "./places.ts";
import type { WarmModel } from "./warmModel.ts";

/** Choices that are told of one text at most: L * N * K. */
const mostTold = 2_000_000;

/** Where each token of a text goes; see `inspections.route`. */
export async function route(
  model: WarmModel,
  { text, off, k }: Omit<Inspected<"route">, "model">,
  signal: AbortSignal,
): Promise<RoutedText> {
  const { tokenizer } = model.opened;
  const axes = model.axes(k);
  const mask = model.mask(off);
  const ids = tokenizer.encode(text);
  const told = axes.layers.length * ids.length * axes.k;
  if (told > mostTold)
    throw new UserError(`the text has ${ids.length} tokens, too many to be routed at once: select a part of it`);
  const { choices, surprise, likeliest } = await forward(model, ids, { k, mask, signal });
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
  };
}
