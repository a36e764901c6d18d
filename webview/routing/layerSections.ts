import { html, type TemplateResult } from "lit";
import { allDomains, heldOut, type RoutedModel } from "../../server/protocol/routing.ts";
import { expertFill } from "../components/experts.ts";
import type { FlowEvents } from "../components/flow-picture.ts";
import { count, percent } from "../components/format.ts";
import type { Cell } from "../components/heat-map.ts";
import "../components/flow-picture.ts";
import type { Flow } from "../components/flow.ts";
import type { LoadEvents } from "./load-area.ts";
import "./load-area.ts";
import { domainName } from "./labels.ts";
import type { Side } from "./picture.ts";
import type { Load, Pairs } from "./routingData.ts";
import type { PageState } from "./state.ts";
import { flowTable, followersText, loadTable } from "./tables.ts";

/** The pictures below the maps: a layer's load over training, and the flow of tokens from layer to layer. */

export interface SectionInput {
  state: PageState;
  side: Side;
  order: readonly number[];
  /** A new function when colours change. */
  colors: (expert: number) => string;
}

export interface SectionActions {
  change(change: Partial<PageState>): void;
  choose(cell: Cell): void;
}

/** Maximum number of experts named next to a picture. */
const maxNamed = 16;

/** The colours of the experts. */
function swatches({ side: { model }, order }: SectionInput): TemplateResult {
  const more = order.length - maxNamed;
  return html`<ul class="swatches" aria-label="Colours">
    ${order.slice(0, maxNamed).map(
      (expert) =>
        html`<li>
          <svg class="swatch" width="12" height="12"><rect width="12" height="12" fill=${expertFill(model.experts, expert)} /></svg>
          ${model.experts[expert]!.name}
        </li>`,
    )}
    ${more > 0 ? html`<li>and ${more} more</li>` : ""}
  </ul>`;
}

function pick(
  label: string,
  value: number,
  options: readonly (readonly [number, string])[],
  choose: (value: number) => void,
): TemplateResult {
  const chosen = (event: Event) => choose(Number((event.currentTarget as HTMLSelectElement).value));
  return html`<label class="group"
    ><span class="caption">${label}</span>
    <select @change=${chosen}>
      ${options.map(([one, text]) => html`<option value=${one} .selected=${one === value}>${text}</option>`)}
    </select></label
  >`;
}

/** Chooses the layer and domain of the pictures below the maps. */
export function choices({ state, side: { model } }: SectionInput, { change }: SectionActions): TemplateResult {
  const domains = [allDomains, ...model.domains.keys()].map((domain) => [domain, domainName(model, domain)] as const);
  const layers = model.layers.map((layer, place) => [place, String(layer)] as const);
  return html`<div class="controls" role="group" aria-label="Layer and domain">
    ${pick("Layer", placeOf(state, model), layers, (layer) => change({ layer }))}
    ${pick("Domain", domainOf(state, model), domains, (domain) => change({ domain }))}
  </div>`;
}

/** The user's choice, limited to what the model has. */
export const placeOf = ({ layer }: PageState, { layers }: RoutedModel): number => Math.min(layer, layers.length - 1);
export const domainOf = ({ domain }: PageState, { domains }: RoutedModel): number =>
  domain < domains.length ? domain : allDomains;

export function loadSection(
  input: SectionInput,
  load: Load | undefined,
  cursor: { step: number | undefined; onMove(step: number | undefined): void; resized(): void },
): TemplateResult {
  const { state, side, order, colors } = input;
  const { model, snapshot } = side;
  const layer = model.layers[placeOf(state, model)];
  const title = `Load of layer ${layer} over training, ${domainName(model, domainOf(state, model))}`;
  const describe = (point: number) => {
    const shares = order
      .map((expert) => ({ expert, share: load!.values[point * order.length + expert]! }))
      .sort((a, b) => b.share - a.share)
      .slice(0, maxNamed / 2);
    const named = shares.map(({ expert, share }) => `${model.experts[expert]!.name} ${percent(share)}`);
    return `Step ${count(load!.steps[point]!)}: ${named.join(", ")}`;
  };
  return html`<figure>
    <figcaption>${title} <span class="soft">routed share</span></figcaption>
    ${swatches(input)}
    <load-area
      .name=${`${title}; arrow keys read values`}
      .load=${load}
      .experts=${order.length}
      .order=${order}
      .colors=${colors}
      .step=${cursor.step}
      .shown=${snapshot === heldOut ? undefined : (snapshot + 1) * model.every}
      .describe=${describe}
      @load-step=${({ detail }: CustomEvent<LoadEvents["load-step"]>) => cursor.onMove(detail.step)}
      @load-resize=${cursor.resized}
    ></load-area>
    ${state.table && load ? loadTable(load, model, order, title) : ""}
  </figure>`;
}

export function flowSection(
  input: SectionInput,
  flow: Flow | undefined,
  pairs: Pairs | undefined,
  cursor: { cell: Cell | undefined; onMove(cell: Cell | undefined): void },
  { choose }: SectionActions,
): TemplateResult | "" {
  const { state, side, order, colors } = input;
  const { model, snapshot } = side;
  if (!flow || !pairs) return "";
  const at = snapshot === heldOut ? "held-out text" : `up to step ${count(pairs.step)}`;
  const describe = ({ row, column }: Cell) => {
    const node = flow.nodes.find((one) => one.layer === row && one.expert === column);
    const next = row < model.layers.length - 1 ? followersText(pairs, model, row, column) : "";
    const share = `Layer ${model.layers[row]}, expert ${model.experts[column]!.name}: ${percent(node?.share ?? 0)} of the tokens`;
    return next ? `${share}, then ${next}` : share;
  };
  return html`<figure>
    <figcaption>From layer to layer <span class="soft">which expert follows which, ${at}</span></figcaption>
    <flow-picture
      .name=${`From layer to layer, ${model.layers.length} layers; arrow keys read experts`}
      .flow=${flow}
      .layers=${model.layers}
      .order=${order}
      .colors=${colors}
      .cell=${cursor.cell}
      .describe=${describe}
      @flow-cell=${({ detail }: CustomEvent<FlowEvents["flow-cell"]>) => cursor.onMove(detail.cell)}
      @flow-choose=${({ detail }: CustomEvent<FlowEvents["flow-choose"]>) => choose(detail.cell)}
    ></flow-picture>
    ${flow.drawn < 0.995 ? html`<p class="soft">Only the widest bands are drawn: ${percent(flow.drawn)} of the tokens.</p>` : ""}
    ${state.table ? flowTable(pairs, model, order, placeOf(state, model)) : ""}
  </figure>`;
}
