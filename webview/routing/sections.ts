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

/** What is pointed at or read in these pictures. */
export interface Reads {
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
  reads: Reads;
  /** Whether snapshots are played. */
  plays: boolean;
  /** Pixel columns of the load, where it is drawn. */
  columns: number | undefined;
  redraw(): void;
}

/** The pictures below the maps, of one layer and domain. */
export function sections(input: SectionInput, of: SectionsInput, actions: SectionActions): TemplateResult {
  const { state, side, order } = input;
  const { model, snapshot } = side;
  const { data, cache, shares, reads, plays, columns, redraw } = of;
  const [layer, domain] = [placeOf(state, model), domainOf(state, model)];
  const load = columns ? data.load(model, layer, domain, columns) : undefined;
  const pairs = data.pairs(model, "transitions", snapshot, domain);
  const coActivation = data.pairs(model, "coActivation", snapshot, domain);
  const flow = cache.flow(pairs, shares, state, model, plays);
  const reading = <K extends keyof Reads>(name: K) => ({
    onRead(read: Reads[K]) {
      reads[name] = read;
      redraw();
    },
  });
  return html`${
    model.snapshots > 0 ? loadSection(input, load, { step: reads.step, ...reading("step"), resized: redraw }) : ""
  }
  ${flowSection(input, flow, pairs, { cell: reads.node, ...reading("node") }, actions)}
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
    cell: reads.saturation,
    ...reading("saturation"),
  })}
  <div class="squares">
    ${coActivationSection(model, coActivation, layer, snapshot, order, state, {
      cell: reads.coActivation,
      ...reading("coActivation"),
    })}
    ${histogramSection(
      model,
      data.histogram(model, probeAt(model, snapshot), layer, domain),
      layer,
      domain,
      order,
      state,
      {
        cell: reads.histogram,
        ...reading("histogram"),
      },
    )}
  </div>`;
}
