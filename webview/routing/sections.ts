import { html, type TemplateResult } from "lit";
import type { Cell } from "../components/heat-map.ts";
import { balanceSection } from "./balanceSection.ts";
import { histogramSection, togetherSection } from "./coActivationSection.ts";
import type { RoutingFrame } from "./frameStore.ts";
import {
  domainOf,
  flowSection,
  loadSection,
  placeOf,
  type SectionActions,
  type SectionInput,
} from "./layerSections.ts";
import type { Shown } from "./pictureCache.ts";
import type { Model } from "./routingData.ts";
import { settlingSection } from "./saturationSection.ts";
import { probeAt, snapshotText } from "./snapshots.ts";

/** What is pointed at or read in the pictures below the maps. */
export interface Reads {
  node?: Cell | undefined;
  step?: number | undefined;
  together?: Cell | undefined;
  histogram?: Cell | undefined;
  settling?: Cell | undefined;
}

export interface Below {
  model: Model;
  shown: Shown;
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
export function below(input: SectionInput, of: Below, actions: SectionActions): TemplateResult {
  const { state, side, order } = input;
  const { model: routed, snapshot } = side;
  const { model, shown, shares, reads, plays, columns, redraw } = of;
  const [layer, domain] = [placeOf(state, routed), domainOf(state, routed)];
  const load = columns ? model.load(routed, layer, domain, columns) : undefined;
  const pairs = model.pairs(routed, "transitions", snapshot, domain);
  const together = model.pairs(routed, "coActivation", snapshot, domain);
  const flow = shown.flow(pairs, shares, state, routed, plays);
  const reading = <K extends keyof Reads>(name: K) => ({
    tell(read: Reads[K]) {
      reads[name] = read;
      redraw();
    },
  });
  return html`${
    routed.snapshots > 0 ? loadSection(input, load, { step: reads.step, ...reading("step"), resized: redraw }) : ""
  }
  ${flowSection(input, flow, pairs, { cell: reads.node, ...reading("node") }, actions)}
  ${balanceSection(
    routed,
    model.layers(routed, snapshot),
    domain,
    snapshotText(routed, snapshot),
    model.saturation.of(routed),
    {
      measure() {
        model.saturation.ask(routed);
        redraw();
      },
      cancel() {
        model.saturation.cancel();
        redraw();
      },
    },
  )}
  ${settlingSection(routed, model.settling(routed), domain, state, { cell: reads.settling, ...reading("settling") })}
  <div class="squares">
    ${togetherSection(routed, together, layer, snapshot, order, state, { cell: reads.together, ...reading("together") })}
    ${histogramSection(
      routed,
      model.histogram(routed, probeAt(routed, snapshot), layer, domain),
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
