import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { deviceReferenceSchema } from "../protocol/devices.ts";
import { diskError } from "../runs/atomic.ts";

/** What a stage's process and those who start it agree on, besides the run folder. */

/** "busy": a process of another run works on the stage, or has done it meanwhile. */
export const exitCodes = { done: 0, failed: 1, refused: 2, stopped: 3, busy: 4 } as const;

/** What a stage's process works with; its last argument, as JSON. */
export const stageAskedSchema = z.strictObject({
  /** CPU threads of one operator. */
  threads: z.int().min(1),
  device: deviceReferenceSchema,
  /** For people: what the device is, and why it is this one. */
  name: z.string(),
  why: z.string(),
  /**
   * Process id of the runner on this machine that started it and that it does not outlive: it stops when the channel between
   * the two closes. Absent: it needs nobody.
   */
  runner: z.int().optional(),
});
export type StageAsked = z.infer<typeof stageAskedSchema>;

/** How far work without training steps has come. Overwritten in place: half a line is no harm, and is not read. */
export const stageProgressSchema = z.object({ done: z.number(), total: z.number(), label: z.string() });
export type StageProgress = z.infer<typeof stageProgressSchema>;

export const progressPath = (stageFolder: string): string => join(stageFolder, "working.json");

/** Writes progress at most four times a second. Nothing depends on it: on a full disk it is left out. */
export function progressFile(stageFolder: string): (done: number, total: number, label: string) => void {
  let last = 0;
  return (done, total, label) => {
    if (performance.now() - last < 250) return;
    last = performance.now();
    try {
      writeFileSync(progressPath(stageFolder), JSON.stringify({ done, total, label } satisfies StageProgress));
    } catch (error) {
      if (diskError(error, stageFolder) === error) throw error;
    }
  };
}
