import { chartColors } from "../../server/protocol/colors.ts";
import { factsOf } from "../../server/protocol/stageKinds.ts";
import type { StreamedRun, StreamedStage } from "../../server/protocol/stream.ts";

/** A stage that is drawn; stages that runs share are drawn once. */
export interface SeriesInfo {
  /** Made of the run folder and the stage's key. */
  id: string;
  root: string;
  key: string;
  run: StreamedRun;
  stage: StreamedStage;
  /** Name of a colour in the palette. */
  color: string;
  /** Dash pattern, CSS pixels. */
  dash: readonly number[];
  /** Includes the run's name if there are several runs. */
  label: string;
}

export const seriesId = (root: string, key: string): string => `${root}\n${key}`;

/** Dash patterns, CSS pixels. */
const dashes: readonly (readonly number[])[] = [
  [],
  [7, 3],
  [2, 3],
  [11, 3, 2, 3],
  [14, 4],
  [5, 2, 1, 2],
  [1, 4],
  [9, 2, 2, 2, 2, 2],
];

/**
 * The lines of runs. Stages have the colours of the tree. In a single run, stages other than seed and mixture also
 * have their own dash patterns; with several runs, each run has one. If colours distinguish runs, dashes distinguish
 * stages.
 */
export function seriesOf(runs: readonly StreamedRun[], colorBy: "stage" | "run"): SeriesInfo[] {
  const found = new Map<string, SeriesInfo>();
  const several = runs.length > 1;
  for (const [runIndex, run] of runs.entries()) {
    for (const [stageIndex, stage] of run.stages.entries()) {
      const id = seriesId(run.root, stage.key);
      if (found.has(id)) continue;
      const own = factsOf(stage.kind)?.color === "next" ? stageIndex : 0;
      const dash = several && colorBy === "stage" ? runIndex : own;
      found.set(id, {
        id,
        root: run.root,
        key: stage.key,
        run,
        stage,
        color: colorBy === "run" ? chartColors[1 + (runIndex % (chartColors.length - 1))]! : (stage.color ?? "seed"),
        dash: dashes[dash % dashes.length]!,
        label: several ? `${stageLabel(stage.name)}, ${runLabel(run, runs)}` : stageLabel(stage.name),
      });
    }
  }
  return [...found.values()];
}

/** A run's name, with its id if another run has the same name. */
export const runLabel = (run: StreamedRun, runs: readonly StreamedRun[]): string =>
  runs.some((other) => other !== run && other.name === run.name) ? `${run.name} ${run.run}` : run.name;

/** "expert code" of "expert:code". */
export const stageLabel = (name: string): string => name.replace(":", " ");

/** Whether a stage is the one that a code lens names, or belongs to the section or kind that it names. */
export function inSection(section: string, stage: StreamedStage): boolean {
  if (section === stage.name || section === stage.kind) return true;
  return section === factsOf(stage.kind)?.section;
}
