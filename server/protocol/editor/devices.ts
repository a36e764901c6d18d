import * as z from "zod";
import {
  computeSchema,
  deviceSchema,
  enginePackageSchema,
  enginePackageStatusSchema,
  installEventSchema,
} from "../devices.ts";
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
  /** Cores' worth of time it used since the last look; where the system reports it. */
  cores: z.number().optional(),
  /** Bytes of memory; where the system reports it. */
  memory: z.number().optional(),
});
export type WorkingStage = z.infer<typeof workingStageSchema>;

export const loadSchema = z.strictObject({
  /** Share of this machine's CPU that was busy since the last look, 0..1; absent at the first look. */
  busy: z.number().optional(),
  /** Bytes. */
  memory: z.number(),
  freeMemory: z.number(),
  stages: z.array(workingStageSchema),
});
export type Load = z.infer<typeof loadSchema>;

export const deviceRequests = {
  /** What this machine computes with, as `btx devices` lists it. */
  "btx/devices": { params: z.strictObject({}), result: z.strictObject({ devices: z.array(deviceSchema) }) },
  /** The engines that can be installed, as `btx engines` lists them. */
  "btx/engines": {
    params: z.strictObject({}),
    result: z.strictObject({ engines: z.array(enginePackageStatusSchema) }),
  },
  /** Installs an engine, as `btx engines install`; what it does comes as "btx/installing" with this `id`. */
  "btx/installEngine": {
    params: z.strictObject({ id: z.string(), engine: enginePackageSchema }),
    result: z.strictObject({
      version: z.string(),
      folder: z.string(),
      /** Why it does not work here, and what to do. */
      reason: z.string().optional(),
    }),
  },
  /** The text of an experiment file that is computed with something else; without `compute`, with what is fastest. */
  "btx/computeText": {
    params: z.strictObject({ text: z.string(), compute: computeSchema.optional() }),
    result: z.strictObject({ text: z.string() }),
  },
};

export const deviceNotices = {
  /** Whether the editor shows how busy the devices are. While it does, the backend reports it every two seconds. */
  "btx/watchLoad": z.strictObject({ shown: z.boolean() }),
};

export const deviceNews = {
  "btx/loadChanged": loadSchema,
  /** What an installation does now. */
  "btx/installing": z.strictObject({ id: z.string(), event: installEventSchema }),
};
