import { type CellMeasure, cellMeasures } from "../../server/protocol/measures.ts";
import { heldOut, type RoutedModel } from "../../server/protocol/routing.ts";
import { placeNames } from "../../server/protocol/routingFiles.ts";
import { anchoredScale, type ColorScale, divergingScale, extremes, linearScale } from "../components/colorScale.ts";
import type { Cells } from "../components/drawCells.ts";
import { cellText, percent } from "../components/format.ts";
import type { Cell } from "../components/heat-map.ts";
import { modelId } from "../components/modelChoice.ts";
import { asMixed, clusteredOrder, expertProfiles } from "./expertOrder.ts";
import { differenceOf, type FrameName, mapOf, type RoutingFrame } from "./frameStore.ts";
import { cellPoints, domainName, points, timesUniform } from "./labels.ts";
import { frameAt, measuredText, nearestSnapshot, shownSnapshot } from "./snapshots.ts";
import type { PageState } from "./state.ts";

/** A model at a snapshot. */
export interface Side {
  model: RoutedModel;
  snapshot: number;
}

export interface Sides {
  main: Side;
  other: Side | undefined;
  /** Why the models' maps cannot be subtracted. */
  problem: string | undefined;
  /** Whether the maps show a difference. */
  difference: boolean;
}

/** What two models must share for their maps to be subtracted. */
type Axes = Pick<RoutedModel, "layers" | "experts" | "domains">;

/** Why the maps of two models cannot be subtracted; undefined if they can. */
function incomparable(a: Axes, b: Axes): string | undefined {
  const names = (list: readonly { name: string }[]) => JSON.stringify(list.map(({ name }) => name));
  if (a.layers.length !== b.layers.length)
    return `The models have ${a.layers.length} and ${b.layers.length} layers with experts: they can only be shown side by side.`;
  if (names(a.experts) !== names(b.experts))
    return "The models have different experts: they can only be shown side by side.";
  if (names(a.domains) !== names(b.domains))
    return "The models were trained on different domains: they can only be shown side by side.";
  return undefined;
}

/** The user's choice among the available models and snapshots; undefined if none are available yet. */
export function sidesOf(models: readonly RoutedModel[], state: PageState): Sides | undefined {
  const readable = models.filter((one) => one.problem === undefined && shownSnapshot(one, undefined) !== undefined);
  const model = readable.find((one) => modelId(one) === state.model) ?? readable[0];
  const snapshot = model && shownSnapshot(model, evaluatedOnly(model, state.measure) ? heldOut : state.snapshot);
  if (!model || snapshot === undefined) return undefined;
  const compared =
    state.other &&
    readable.find((one) => modelId(one) === state.other!.model && (one === model || one.cells.includes(state.measure)));
  const chosen = compared && evaluatedOnly(compared, state.measure) ? heldOut : state.other?.snapshot;
  const at =
    compared && (chosen === undefined ? nearestSnapshot(compared, model, snapshot) : shownSnapshot(compared, chosen));
  const other = compared && at !== undefined ? { model: compared, snapshot: at } : undefined;
  const problem = other && incomparable(model, other.model);
  return { main: { model, snapshot }, other, problem, difference: other !== undefined && !state.beside && !problem };
}

/** Whether a measure is recorded for the finished model only. */
export const evaluatedOnly = ({ probed }: RoutedModel, measure: CellMeasure): boolean =>
  cellMeasures[measure].heldOutOnly === true && !probed;

export const frameName = ({ model, snapshot }: Side, measure: CellMeasure): FrameName => ({
  model: modelId(model),
  snapshot: frameAt(model, snapshot, measure),
  measure,
});

export interface MapView {
  id: string;
  /** Index; the number of domains stands for all. */
  domain: number;
  title: string;
  cells: Cells;
  describe(cell: Cell): string;
}

export interface Picture {
  maps: MapView[];
  scale: ColorScale;
  /** Lowest and highest value. */
  low: number;
  high: number;
  text(value: number): string;
}

/**
 * The maps of one or two frames: one for all domains, then one per domain; of two frames, the difference, or both side
 * by side.
 */
export function pictureOf(
  sides: Sides,
  main: RoutingFrame,
  other: RoutingFrame | undefined,
  measure: CellMeasure,
  order: readonly number[],
): Picture {
  const { difference } = sides;
  const shown: [Side, RoutingFrame][] =
    difference && other
      ? [[sides.main, differenceOf(main, other)]]
      : [[sides.main, main], ...(other && sides.other ? [[sides.other, other] as [Side, RoutingFrame]] : [])];
  const all = shown.map(([, { values }]) => extremes(values));
  const [low, high] = [Math.min(...all.map(([one]) => one)), Math.max(...all.map(([, one]) => one))];
  const { uniform } = main;
  const scale = difference
    ? divergingScale(Math.max(-low, high))
    : uniform > 0
      ? anchoredScale(uniform, high)
      : linearScale(high);
  const text = difference ? points : percent;
  const label = cellMeasures[measure].label.toLowerCase();
  const maps = domainsOf(sides.main.model).flatMap((domain) =>
    shown.map(([{ model, snapshot }, frame], side): MapView => {
      const values = mapOf(frame, domain < model.domains.length ? domain : frame.shape[0] - 1);
      const name = domainName(model, domain);
      const columns = model.experts.map((expert) => expert.name);
      const layers = placeNames(model);
      return {
        id: `${domain} ${side}`,
        domain,
        title: shown.length > 1 ? `${name}, ${model.name}, ${measuredText(model, snapshot, measure)}` : name,
        cells: {
          values,
          rows: layers,
          columns,
          order: side === 0 || order.length === columns.length ? order : asMixed(columns.length),
          scale,
          text: difference ? cellPoints : cellText,
        },
        describe: ({ row, column }) => {
          const value = values[row * columns.length + column] ?? Number.NaN;
          const where = `layer ${layers[row] ?? "–"}, expert ${columns[column] ?? "–"}, ${name}`;
          return `${where}: ${label} ${text(value)}${difference ? "" : timesUniform(value, uniform)}`;
        },
      };
    }),
  );
  return { maps, scale, low, high, text };
}

/** All domains together first, then each. */
export const domainsOf = ({ domains }: RoutedModel): number[] => [domains.length, ...domains.keys()];

/** The order of experts that the user chose. @param reference the frame to cluster by. */
export function orderOf(state: PageState, experts: number, reference: RoutingFrame | undefined): number[] {
  return state.order === "clustered" && reference
    ? clusteredOrder(expertProfiles(reference.values, experts), experts)
    : asMixed(experts);
}

/** "step 400", or both sides of a comparison. */
export function sidesText({ main, other, difference }: Sides, measure: CellMeasure): string {
  const text = ({ model, snapshot }: Side) => measuredText(model, snapshot, measure);
  if (!other) return text(main);
  const named = (side: Side) => (other.model === main.model ? text(side) : `${side.model.name} at ${text(side)}`);
  return difference ? `${named(main)} minus ${named(other)}` : `${named(main)} and ${named(other)}`;
}

/** Whether the shown snapshot is the newest of a running stage. */
export const isLive = ({ main: { model, snapshot } }: Sides): boolean =>
  snapshot !== heldOut && snapshot === model.snapshots - 1 && model.state === "running";
