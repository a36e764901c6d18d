import * as z from "zod";
import {
  computeSchema,
  deviceSchema,
  enginePackageSchema,
  enginePackageStatusSchema,
  installEventSchema,
} from "../devices.ts";
import { stageReferenceSchema } from "./basics.ts";

/** This machine's devices and how busy they are. */

/** A running stage process. */
export const workingStageSchema = z.strictObject({
  ...stageReferenceSchema.shape,
  /** Name of the experiment. */
  experiment: z.string(),
  engine: z.string().optional(),
  device: z.string().optional(),
  threads: z.int().optional(),
  pid: z.int(),
  /** The machine it runs on; absent: this one. */
  host: z.string().optional(),
  /** CPU time in cores since the last sample; absent if the system does not report it. */
  cores: z.number().optional(),
  /** Bytes of memory; absent if the system does not report it. */
  memory: z.number().optional(),
});
export type WorkingStage = z.infer<typeof workingStageSchema>;

export const loadSchema = z.strictObject({
  /** Share of this machine's CPU that was busy since the last sample, 0..1; absent in the first sample. */
  busy: z.number().optional(),
  /** Bytes. */
  memory: z.number(),
  freeMemory: z.number(),
  stages: z.array(workingStageSchema),
});
export type Load = z.infer<typeof loadSchema>;

export const deviceRequests = {
  /** This machine's devices, as `btx devices` lists them. */
  "btx/devices": { params: z.strictObject({}), result: z.strictObject({ devices: z.array(deviceSchema) }) },
  /** The engines that can be installed, as `btx engines` lists them. */
  "btx/engines": {
    params: z.strictObject({}),
    result: z.strictObject({ engines: z.array(enginePackageStatusSchema) }),
  },
  /** Installs an engine, as `btx engines install` does; progress is sent as "btx/installing" with this `id`. */
  "btx/installEngine": {
    params: z.strictObject({ id: z.string(), engine: enginePackageSchema }),
    result: z.strictObject({
      version: z.string(),
      folder: z.string(),
      /** Why it does not work here, and how to fix it. */
      reason: z.string().optional(),
    }),
  },
  /** The text of an experiment file with its `compute` replaced; without `compute`, the fastest is chosen. */
  "btx/computeText": {
    params: z.strictObject({ text: z.string(), compute: computeSchema.optional() }),
    result: z.strictObject({ text: z.string() }),
  },
};

export const loadNotifications = {
  /** Whether the editor shows how busy the devices are. While it does, the backend reports it every two seconds. */
  "btx/watchLoad": z.strictObject({ shown: z.boolean() }),
};

export const deviceNotifications = {
  "btx/loadChanged": loadSchema,
  /** Progress of an installation. */
  "btx/installing": z.strictObject({ id: z.string(), event: installEventSchema }),
};
