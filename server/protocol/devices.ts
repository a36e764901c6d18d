import * as z from "zod";

/** Engines, the devices they run on, and the engines that are installed on demand. */

export const engineNameSchema = z.enum(["onnx", "tfjs"]);
export type EngineName = z.infer<typeof engineNameSchema>;

/** Engines that can be requested; "auto" picks the fastest one available. */
export const engineChoiceSchema = z.enum(["auto", ...engineNameSchema.options]);
export type EngineChoice = z.infer<typeof engineChoiceSchema>;

/** CUDA devices by number, as `nvidia-smi` counts them. */
const cudaDevices = Array.from({ length: 16 }, (_, index) => `cuda:${index}` as const);

/** Names of devices that can be requested; "cuda" stands for all CUDA devices. */
export const deviceNameSchema = z.enum(["cpu", "webgpu", "cuda", ...cudaDevices, "tfjs-node-gpu", "tfjs-node"]);
export type DeviceName = z.infer<typeof deviceNameSchema>;

/** The devices of each engine, best first. */
export const devicesOf: Readonly<Record<EngineName, readonly DeviceName[]>> = {
  onnx: ["cuda", ...cudaDevices, "webgpu", "cpu"],
  tfjs: ["tfjs-node-gpu", "tfjs-node", "cpu"],
};

/** A device of an engine. */
export const deviceReferenceSchema = z.strictObject({ engine: engineNameSchema, device: z.string() });
export type DeviceReference = z.infer<typeof deviceReferenceSchema>;

/** The engine and devices that an experiment or a command requests. */
export const computeSchema = z.strictObject({
  engine: engineChoiceSchema,
  /** Absent: chosen by `auto`. */
  devices: z.array(deviceNameSchema).min(1).optional(),
});
export type Compute = z.infer<typeof computeSchema>;

/**
 * A package that `btx engines install` installs and that an engine needs on one of its devices. Users know it as an
 * engine too, so its key is `engine` in all output.
 */
export const enginePackageSchema = z.enum(["cuda", "tfjs-node-gpu", "tfjs-node"]);
export type EnginePackage = z.infer<typeof enginePackageSchema>;

/** One engine on one device, as `btx devices --json` prints it. */
export const deviceSchema = z.strictObject({
  engine: engineNameSchema,
  /** Its name in an experiment's `devices`. */
  device: z.string(),
  /** Name of the CPU, the GPU or its adapter. */
  name: z.string(),
  /** "processor": the CPU. "software": a graphics driver that computes on the CPU. */
  kind: z.enum(["processor", "gpu", "software"]),
  cores: z.int().optional(),
  /** Bytes; for the CPU, the machine's memory. */
  memory: z.number().optional(),
  freeMemory: z.number().optional(),
  driver: z.string().optional(),
  usable: z.boolean(),
  /** Why it is not usable, or other remarks. */
  reason: z.string().optional(),
  /** How to fix it. */
  remedy: z.string().optional(),
  /** The package that would make it usable, if it can be installed. */
  install: enginePackageSchema.optional(),
});
export type Device = z.infer<typeof deviceSchema>;

/** One line of `btx engines --json`. */
export const enginePackageStatusSchema = z.strictObject({
  engine: enginePackageSchema,
  version: z.string(),
  description: z.string(),
  installed: z.boolean(),
  /** Where it is installed, or would be. */
  folder: z.string(),
  /** Size on disk in bytes if installed, otherwise the approximate size of the download. */
  bytes: z.number(),
  /** Why it cannot be installed on this machine. */
  unavailable: z.string().optional(),
});
export type EnginePackageStatus = z.infer<typeof enginePackageStatusSchema>;

/** One line of `btx engines install ENGINE --json`. The last is "installed". */
export const installEventSchema = z.discriminatedUnion("event", [
  /** The current activity; `done` and `total` in bytes, if known. */
  z.strictObject({
    event: z.literal("progress"),
    engine: enginePackageSchema,
    label: z.string(),
    done: z.number().optional(),
    total: z.number().optional(),
  }),
  z.strictObject({
    event: z.literal("installed"),
    engine: enginePackageSchema,
    version: z.string(),
    folder: z.string(),
    /** Why it does not work here, and how to fix it; absent if it works. */
    reason: z.string().optional(),
  }),
]);
export type InstallEvent = z.infer<typeof installEventSchema>;

/** Why a device cannot be used and how to fix it, or other remarks about it; "" if there are no remarks. */
export const whyText = ({ reason, remedy }: Pick<Device, "reason" | "remedy">): string =>
  [reason, remedy].filter(Boolean).join(": ");
