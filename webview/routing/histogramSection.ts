import { html, type TemplateResult } from "lit";
import type { RoutedModel } from "../../server/protocol/routing.ts";
import { percent } from "../components/format.ts";
import { histogramMap } from "../components/histogramMap.ts";
import { type MapCursor, singleMap } from "../components/singleMap.ts";
import { domainName } from "./labels.ts";
import type { Histogram } from "./routingData.ts";
import { probeText } from "./snapshots.ts";
import type { PageState } from "./state.ts";
import { mapTable } from "./tables.ts";

/** Held-out tokens by the probability that the router gave each expert. */
export function histogramSection(
  model: RoutedModel,
  histogram: Histogram | undefined,
  layer: number,
  domain: number,
  order: readonly number[],
  state: PageState,
  cursor: MapCursor,
): TemplateResult | "" {
  if (!histogram) return "";
  const { cells, describe } = histogramMap(histogram.values, model.experts, order);
  const title = `Router probability in layer ${model.layers[layer]}, ${domainName(model, domain)}`;
  const picture = { maps: [{ id: "histogram", domain: model.domains.length, title, cells, describe }], text: percent };
  return html`<figure class="square">
    <figcaption>${title} <span class="soft">share of tokens by the expert's probability, ${probeText(model, histogram.probe)}</span></figcaption>
    ${singleMap({ cells, name: `${title}, experts by probability`, describe }, cursor)}
    ${state.table ? mapTable(picture, title, -1, "square") : ""}
  </figure>`;
}
