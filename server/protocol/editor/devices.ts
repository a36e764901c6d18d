import { z } from "zod";
import { deviceSchema } from "../devices.ts";
import { stageReferenceSchema } from "./basics.ts";

/** What this machine computes with, and how busy it is. */

/** A stage's process at work. */
export const workingStageSchema = z.strictObject({
  ...stageReferenceSchema.shape,
  /** Name of the experiment. */
  experiment: z.string(),
  engine: z.string().optional(),
  device: z.string().optional(),
  threads: z.int().optional(),
  pid: z.int(),
  /** The machine it works on; absent: this one. */
  host: z.string().optional(),
  /** Cores' worth of time it used since the last look; where the system tells. */
  cores: z.number().optional(),
  /** Bytes of memory; where the system tells. */
  memory: z.number().optional(),
});
export type WorkingStage = z.infer<typeof workingStageSchema>;

export const loadSchema = z.strictObject({
  /** Share of this machine's processors that was busy since the last look, 0..1; absent at the first look. */
  busy: z.number().optional(),
  /** Bytes. */
  memory: z.number(),
  freeMemory: z.number(),
  stages: z.array(workingStageSchema),
});
export type Load = z.infer<typeof loadSchema>;

export const deviceRequests = {
  /** What this machine computes with, as `btx devices` tells. */
  "btx/devices": { params: z.strictObject({}), result: z.strictObject({ devices: z.array(deviceSchema) }) },
};

export const deviceNotices = {
  /** Whether the editor shows how busy the devices are. While it does, the backend tells every two seconds. */
  "btx/watchLoad": z.strictObject({ shown: z.boolean() }),
};

export const deviceNews = { "btx/loadChanged": loadSchema };
