import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { makeFolder, syncFolder } from "../disk/atomic.ts";
import { hasCode, withDiskErrors } from "../disk/errors.ts";
import { UserError } from "../protocol/errors.ts";

/** Paths in the run folder. docs/run-folder.md describes each file. */

/** The run folder of an experiment: `.btx` beside the experiment file. */
export const runRoot = (experimentFile: string): string => join(dirname(resolve(experimentFile)), ".btx");

export const stagesFolder = (root: string): string => join(root, "stages");
export const runsFolder = (root: string): string => join(root, "runs");

/** Paths of one stage, by its key (16 hex digits). */
export function stagePaths(root: string, key: string): StagePaths {
  return stagePathsIn(join(stagesFolder(root), plainName(key)));
}

/** Paths below a stage's folder. */
export const stagePathsIn = (folder: string) => ({
  folder,
  record: join(folder, "stage.json"),
  metrics: join(folder, "metrics.jsonl"),
  routing: join(folder, "routing.f32"),
  routingIndex: join(folder, "routing.json"),
  /** Pairs of experts while training. */
  routingPairs: join(folder, "routing-pairs.f32"),
  routingPairsIndex: join(folder, "routing-pairs.json"),
  /** Experts of the same tokens while training. */
  routingProbe: join(folder, "routing-probe.f32"),
  routingProbeIndex: join(folder, "routing-probe.json"),
  /** Vocabulary specialisation and histograms of the same tokens while training. */
  routingProbeDetail: join(folder, "routing-probe-detail.f32"),
  routingProbeDetailIndex: join(folder, "routing-probe-detail.json"),
  /** Of an evaluation: pairs of experts and histograms. */
  routingDetail: join(folder, "routing-detail.f32"),
  routingDetailIndex: join(folder, "routing-detail.json"),
  /** Folder in a Hugging Face layout. */
  checkpoint: join(folder, "checkpoint"),
  /** Training state while the stage is unfinished. */
  state: join(folder, "state.safetensors"),
  log: join(folder, "log.txt"),
  /** Exists while a stop of the stage is requested. */
  stop: join(folder, "stop"),
});
export type StagePaths = ReturnType<typeof stagePathsIn>;

/** Paths of one run, by its id. */
export function runPaths(root: string, id: string): RunPaths {
  return runPathsIn(join(runsFolder(root), plainName(id)));
}

/** Paths below a run's folder. */
export const runPathsIn = (folder: string) => ({
  folder,
  record: join(folder, "run.json"),
  report: join(folder, "report.html"),
  /** Exists while a stop of the run is requested. */
  stop: join(folder, "stop"),
});
export type RunPaths = ReturnType<typeof runPathsIn>;

/** An id or key that is the name of one folder and no way out of it. */
function plainName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) return name;
  throw new UserError(`"${name}" is not the name of a run or stage: use one that \`btx list\` shows`);
}

/**
 * Creates the run folder if needed, with a `.gitignore` that keeps it out of version control.
 *
 * @throws UserError when it may not be written or the disk is full.
 */
export async function createRoot(root: string): Promise<void> {
  await withDiskErrors(root, async () => {
    makeFolder(stagesFolder(root));
    makeFolder(runsFolder(root));
    await writeFile(join(root, ".gitignore"), "*\n", { flag: "wx" }).catch((error: unknown) => {
      if (!hasCode(error, "EEXIST")) throw error;
    });
  });
}

/** "20260731-142233": UTC, so that ids sort by time. */
const timestamp = (time: Date): string => time.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");

/**
 * Makes the folder of a new run and returns its id, "20260731-142233", or "20260731-142233-02" when another run began
 * in the same second: the folder is made exclusively, so no two starts get the same.
 *
 * @throws UserError when the run folder may not be written or the disk is full.
 */
export async function createRunFolder(root: string, time: Date = new Date()): Promise<string> {
  await createRoot(root);
  const first = timestamp(time);
  for (let count = 1; count < 100; count++) {
    const id = count === 1 ? first : `${first}-${String(count).padStart(2, "0")}`;
    const { folder } = runPaths(root, id);
    try {
      await withDiskErrors(folder, () => mkdir(folder));
      await syncFolder(runsFolder(root));
      return id;
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw error;
    }
  }
  throw new UserError(`${runsFolder(root)} holds a hundred runs of one second: remove some`);
}
