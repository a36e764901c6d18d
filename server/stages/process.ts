import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { diskError } from "../disk/errors.ts";
import { fenceAround } from "../disk/fence.ts";
import { deviceReferenceSchema } from "../protocol/devices.ts";

/** The contract between a stage's process and the code that starts it, in addition to the run folder. */

/** "busy": a process of another run is working on the stage or has finished it in the meantime. */
export const exitCodes = { done: 0, failed: 1, refused: 2, stopped: 3, busy: 4 } as const;

/** The last argument of a stage's process, as JSON. */
export const stageOptionsSchema = z.strictObject({
  /** CPU threads per operator. */
  threads: z.int().min(1),
  device: deviceReferenceSchema,
  /** For people: the device's name, and why it was chosen. */
  name: z.string(),
  why: z.string(),
  /**
   * Process id of the runner on this machine that started the process. The process stops when the channel between the
   * two closes. Absent: it does not depend on a runner.
   */
  runner: z.int().optional(),
});
export type StageOptions = z.infer<typeof stageOptionsSchema>;

/** Progress of work without training steps. Overwritten in place; readers ignore an incomplete file. */
export const stageProgressSchema = z.object({ done: z.number(), total: z.number(), label: z.string() });
export type StageProgress = z.infer<typeof stageProgressSchema>;

/** The most of a file of progress that is read, bytes. */
export const maxProgressBytes = 64 << 10;

export const progressPath = (stageFolder: string): string => join(stageFolder, "working.json");

/** Writes progress at most four times a second. Nothing depends on it, so disk errors are ignored. */
export function progressFile(stageFolder: string): (done: number, total: number, label: string) => void {
  let last = 0;
  const fence = fenceAround(stageFolder);
  return (done, total, label) => {
    if (performance.now() - last < 250) return;
    last = performance.now();
    fence.pass();
    try {
      writeFileSync(progressPath(stageFolder), JSON.stringify({ done, total, label } satisfies StageProgress));
    } catch (error) {
      if (diskError(error, stageFolder) === error) throw error;
    }
  };
}
