import { html, type TemplateResult } from "lit";
import type { Cell } from "../components/heat-map.ts";
import { balanceSection } from "./balanceSection.ts";
import { coActivationSection } from "./coActivationSection.ts";
import type { RoutingFrame } from "./frameStore.ts";
import { histogramSection } from "./histogramSection.ts";
import {
  domainOf,
  flowSection,
  loadSection,
  placeOf,
  type SectionActions,
  type SectionInput,
} from "./layerSections.ts";
import type { PictureCache } from "./pictureCache.ts";
import type { RoutingData } from "./routingData.ts";
import { saturationSection } from "./saturationSection.ts";
import { probeAt, snapshotText } from "./snapshots.ts";

/** The cursors of the pictures below the maps. */
export interface Cursors {
  node?: Cell | undefined;
  step?: number | undefined;
  coActivation?: Cell | undefined;
  histogram?: Cell | undefined;
  saturation?: Cell | undefined;
}

export interface SectionsInput {
  data: RoutingData;
  cache: PictureCache;
  /** The frame of routed shares. */
  shares: RoutingFrame | undefined;
  cursors: Cursors;
  /** Whether snapshots are playing. */
  plays: boolean;
  /** Number of pixel columns of the load, if it is drawn. */
  columns: number | undefined;
  redraw(): void;
}

/** The pictures below the maps, of one layer and domain. */
export function sections(input: SectionInput, of: SectionsInput, actions: SectionActions): TemplateResult {
  const { state, side, order } = input;
  const { model, snapshot } = side;
  const { data, cache, shares, cursors, plays, columns, redraw } = of;
  const [layer, domain] = [placeOf(state, model), domainOf(state, model)];
  const load = columns ? data.load(model, layer, domain, columns) : undefined;
  const pairs = data.pairs(model, "transitions", snapshot, domain);
  const coActivation = data.pairs(model, "coActivation", snapshot, domain);
  const flow = cache.flow(pairs, shares, state, model, plays);
  const mover = <K extends keyof Cursors>(name: K) => ({
    onMove(to: Cursors[K]) {
      cursors[name] = to;
      redraw();
    },
  });
  return html`${
    model.snapshots > 0 ? loadSection(input, load, { step: cursors.step, ...mover("step"), resized: redraw }) : ""
  }
  ${flowSection(input, flow, pairs, { cell: cursors.node, ...mover("node") }, actions)}
  ${balanceSection(model, data.layers(model, snapshot), domain, snapshotText(model, snapshot), data.saturation(model), {
    measure() {
      data.measureSaturation(model);
      redraw();
    },
    cancel() {
      data.cancelSaturation();
      redraw();
    },
  })}
  ${saturationSection(model, data.saturationOverTraining(model), domain, state, {
    cell: cursors.saturation,
    ...mover("saturation"),
  })}
  <div class="squares">
    ${coActivationSection(model, coActivation, layer, snapshot, order, state, {
      cell: cursors.coActivation,
      ...mover("coActivation"),
    })}
    ${histogramSection(
      model,
      data.histogram(model, probeAt(model, snapshot), layer, domain),
      layer,
      domain,
      order,
      state,
      {
        cell: cursors.histogram,
        ...mover("histogram"),
      },
    )}
  </div>`;
}
