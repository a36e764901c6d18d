import { UserError } from "../protocol/errors.ts";
import type { PlannedStage } from "../protocol/stage.ts";
import type { Verified, VerifyProblem } from "../protocol/verify.ts";
import { explainDamage } from "../runs/damage.ts";
import { stagePaths } from "../runs/layout.ts";
import { folderBytes } from "../runs/remove.ts";
import { requireRun } from "../runs/runs.ts";
import { readStage, type Stage } from "../runs/stages.ts";
import { finishedChecks } from "./finished.ts";
import type { Check, Reading } from "./reading.ts";
import { savedChecks } from "./saved.ts";

export interface VerifyOptions {
  /** Ends the work with the signal's reason. */
  signal?: AbortSignal;
  /** `done` of `total` bytes, and the stage that is being read. */
  onProgress?(done: number, total: number, stage: string): void;
}

/**
 * Reads every file of a run that a later stage or a resume reads, and compares it with what was written.
 *
 * @throws UserError if there is no such run; the signal's reason.
 */
export async function verifyRun(
  root: string,
  id: string,
  { signal, onProgress = () => {} }: VerifyOptions = {},
): Promise<Verified> {
  const { record } = await requireRun(root, id);
  const folders = record.stages.map(({ key }) => stagePaths(root, key).folder);
  let total = 0;
  for (const folder of folders) total += await folderBytes(folder);
  const verified: Verified = { run: id, files: 0, bytes: 0, problems: [], unchecked: [] };
  for (const planned of record.stages) {
    const { name } = planned;
    const reading: Reading = {
      read(bytes) {
        signal?.throwIfAborted();
        verified.bytes += bytes;
        onProgress(verified.bytes, total, name);
      },
      passed: () => verified.files++,
      unchecked: (sentence) => verified.unchecked.push(sentence),
    };
    const attempt = async (work: () => Promise<void>): Promise<void> => {
      const problem = await problemOf(work, name, id);
      if (problem) verified.problems.push(problem);
    };
    reading.read(0);
    let stage: Stage | undefined;
    await attempt(async () => {
      stage = await readStage(stagePaths(root, planned.key).folder);
      if (stage) reading.passed();
      else if (record.status === "done") reading.unchecked(`stage "${name}" has no folder: it was removed`);
    });
    if (!stage) continue;
    for (const check of await checksOf(planned, stage)) await attempt(() => check(reading));
  }
  return verified;
}

/** The checks of what a stage has written so far. */
async function checksOf(planned: PlannedStage, stage: Stage): Promise<Check[]> {
  if (stage.state === "done") return finishedChecks(planned, stage);
  if (stage.holder) return [async ({ unchecked }) => unchecked(`stage "${planned.name}" is running`)];
  return savedChecks(stage);
}

async function problemOf(work: () => Promise<void>, stage: string, run: string): Promise<VerifyProblem | undefined> {
  try {
    await work();
    return undefined;
  } catch (thrown) {
    const error = explainDamage(thrown, run);
    if (!(error instanceof UserError)) throw error;
    return { stage, message: error.message };
  }
}
