import * as z from "zod";

/** What computes: engines, the devices they run on, and the engines that are installed on demand. */

export const engineNameSchema = z.enum(["onnx", "tfjs"]);
export type EngineName = z.infer<typeof engineNameSchema>;

/** What may be asked for: "auto" is the engine that is fastest on what is there. */
export const engineChoiceSchema = z.enum(["auto", ...engineNameSchema.options]);
export type EngineChoice = z.infer<typeof engineChoiceSchema>;

/** CUDA's devices by their number, as `nvidia-smi` counts them. */
const cudaDevices = Array.from({ length: 16 }, (_, index) => `cuda:${index}` as const);

/** Names of devices that may be asked for; "cuda" stands for all of CUDA's. */
export const deviceNameSchema = z.enum(["cpu", "webgpu", "cuda", ...cudaDevices, "tfjs-node-gpu", "tfjs-node"]);
export type DeviceName = z.infer<typeof deviceNameSchema>;

/** The devices of each engine, the best first. */
export const devicesOf: Readonly<Record<EngineName, readonly DeviceName[]>> = {
  onnx: ["cuda", ...cudaDevices, "webgpu", "cpu"],
  tfjs: ["tfjs-node-gpu", "tfjs-node", "cpu"],
};

/** A device of an engine. */
export const deviceReferenceSchema = z.strictObject({ engine: engineNameSchema, device: z.string() });
export type DeviceReference = z.infer<typeof deviceReferenceSchema>;

/** What an experiment, or a command, wants to be computed with. */
export const computeSchema = z.strictObject({
  engine: engineChoiceSchema,
  /** Absent: what `auto` takes. */
  devices: z.array(deviceNameSchema).min(1).optional(),
});
export type Compute = z.infer<typeof computeSchema>;

/**
 * A package that `btx engines install` installs, which an engine needs on one of its devices. People know it as an engine,
 * too, so the key is `engine` wherever one is printed.
 */
export const enginePackageSchema = z.enum(["cuda", "tfjs-node-gpu", "tfjs-node"]);
export type EnginePackage = z.infer<typeof enginePackageSchema>;

/** One engine on one device, as `btx devices --json` prints it. */
export const deviceSchema = z.strictObject({
  engine: engineNameSchema,
  /** What an experiment's `devices` calls it. */
  device: z.string(),
  /** Of the CPU, the GPU or its adapter. */
  name: z.string(),
  /** "processor": the CPU. "software": a graphics driver that computes on the CPU. */
  kind: z.enum(["processor", "gpu", "software"]),
  cores: z.int().optional(),
  /** Bytes; of the CPU the machine's. */
  memory: z.number().optional(),
  freeMemory: z.number().optional(),
  driver: z.string().optional(),
  usable: z.boolean(),
  /** Why it is not usable, or what else there is to know. */
  reason: z.string().optional(),
  /** What to do about it. */
  remedy: z.string().optional(),
  /** What would make it usable, where that can be installed. */
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
  /** Bytes on the disk where it is installed, otherwise the approximate size of the download. */
  bytes: z.number(),
  /** Why it cannot be installed on this machine. */
  unavailable: z.string().optional(),
});
export type EnginePackageStatus = z.infer<typeof enginePackageStatusSchema>;

/** One line of `btx engines install ENGINE --json`. The last is "installed". */
export const installEventSchema = z.discriminatedUnion("event", [
  /** What is being done now; `done` and `total` in bytes, where they are known. */
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
    /** Absent: it works here. Otherwise why it does not, and what to do. */
    reason: z.string().optional(),
  }),
]);
export type InstallEvent = z.infer<typeof installEventSchema>;

/** Why a device cannot be used and what to do about it, or what else there is to know of it; "" where there is nothing. */
export const whyText = ({ reason, remedy }: Pick<Device, "reason" | "remedy">): string =>
  [reason, remedy].filter(Boolean).join(": ");
