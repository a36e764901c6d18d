import { chartColors } from "../../server/protocol/colors.ts";
import { factsOf } from "../../server/protocol/stageKinds.ts";
import type { StreamedRun, StreamedStage } from "../../server/protocol/stream.ts";

/** A stage that is drawn, once, however many of the runs share it. */
export interface SeriesInfo {
  /** Of the run folder and the key. */
  id: string;
  root: string;
  key: string;
  run: StreamedRun;
  stage: StreamedStage;
  /** Name of the colour in the palette, and dash pattern: each distinguishes lines without the other. */
  color: string;
  dash: readonly number[];
  /** With the run's name where there are several. */
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
 * The lines of runs. Colours of stages are those of the tree. In one run each stage that is neither seed nor mixture
 * has a dash of its own, too; of several runs each has one. Colours by run leave the dashes to the stages.
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

/** A run's name, with its id where another has the same. */
export const runLabel = (run: StreamedRun, runs: readonly StreamedRun[]): string =>
  runs.some((other) => other !== run && other.name === run.name) ? `${run.name} ${run.run}` : run.name;

/** "expert code" of "expert:code". */
export const stageLabel = (name: string): string => name.replace(":", " ");

/** Stages of a section of the experiment file, as a lens names it. */
export function inSection(section: string, stage: StreamedStage): boolean {
  if (section === stage.name || section === stage.kind) return true;
  return section === factsOf(stage.kind)?.section;
}
