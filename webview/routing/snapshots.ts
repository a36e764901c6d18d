import { type CellMeasure, cellMeasures } from "../../server/protocol/measures.ts";
import { heldOut, type RoutedModel } from "../../server/protocol/routing.ts";
import { count } from "../components/format.ts";

type Recorded = Pick<RoutedModel, "snapshots" | "every" | "steps" | "evaluated">;

/** The snapshot to show. @param wanted absent: the newest. @returns undefined if nothing is recorded. */
export function shownSnapshot({ snapshots, evaluated }: Recorded, wanted: number | undefined): number | undefined {
  if (evaluated && (wanted === heldOut || snapshots === 0)) return heldOut;
  if (snapshots === 0) return undefined;
  return wanted === undefined || wanted === heldOut ? snapshots - 1 : Math.min(wanted, snapshots - 1);
}

/** The last optimizer step that a snapshot covers; the last snapshot may cover fewer steps than the others. */
export const stepOf = ({ every, steps }: Pick<RoutedModel, "every" | "steps">, snapshot: number): number =>
  Math.min((snapshot + 1) * every, steps || Number.POSITIVE_INFINITY);

type Probed = Pick<RoutedModel, "every" | "steps" | "probed">;

/** The last probe not after a snapshot; `heldOut` for held-out text, or if training has no probes. */
export function probeAt(model: Probed, snapshot: number): number {
  const { probed, steps } = model;
  if (snapshot === heldOut || !probed) return heldOut;
  const step = stepOf(model, snapshot);
  // The last probe, after the last step, may end an incomplete interval.
  const before = step === steps ? Math.ceil(step / probed.every) : Math.floor(step / probed.every);
  return Math.min(before, probed.probes - 1);
}

/** The index to request a frame by: a snapshot, or a probe if the measure exists for held-out text only. */
export const frameAt = (model: Probed, snapshot: number, measure: CellMeasure): number =>
  cellMeasures[measure].heldOutOnly ? probeAt(model, snapshot) : snapshot;

/** "held-out tokens at step 360", "held-out text". */
export function probeText({ probed, steps }: Pick<RoutedModel, "probed" | "steps">, probe: number): string {
  if (probe === heldOut || !probed) return "held-out text";
  const step = Math.min(probe * probed.every, steps || Number.POSITIVE_INFINITY);
  return `held-out tokens at step ${count(step)}`;
}

/** The snapshot of another model that is nearest in steps; for held-out text, held-out text. */
export function nearestSnapshot(of: Recorded, at: Recorded, snapshot: number): number | undefined {
  if (snapshot === heldOut) return shownSnapshot(of, heldOut);
  return shownSnapshot(of, Math.max(0, Math.round(stepOf(at, snapshot) / of.every) - 1));
}

/** "step 400", "held-out text". */
export const snapshotText = (model: Pick<RoutedModel, "every" | "steps">, snapshot: number): string =>
  snapshot === heldOut ? "held-out text" : `step ${count(stepOf(model, snapshot))}`;

/** What a measure's values at a snapshot were measured on. */
export const measuredText = (model: Probed, snapshot: number, measure: CellMeasure): string =>
  cellMeasures[measure].heldOutOnly ? probeText(model, probeAt(model, snapshot)) : snapshotText(model, snapshot);

/**
 * The snapshots to load besides the shown one, most urgent first.
 *
 * @param playing load later snapshots only. @param reach how many in each direction.
 */
export function snapshotsToLoad({ snapshots }: Recorded, shown: number, playing: boolean, reach: number): number[] {
  if (shown === heldOut) return [];
  const wanted: number[] = [];
  for (let by = 1; by <= reach; by++) {
    if (shown + by < snapshots) wanted.push(shown + by);
    if (!playing && shown - by >= 0) wanted.push(shown - by);
  }
  return wanted;
}
