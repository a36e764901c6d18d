import { z } from "zod";
import { runStatusSchema } from "./run.ts";

/** What the editor and the backend say to each other beside the language server protocol. Both sides validate. */

/** A request: its method, what it takes and what it gives. */
export interface RequestKind<Params, Result> {
  method: string;
  params: z.ZodType<Params>;
  result: z.ZodType<Result>;
}

/** A notification: its method and what it takes. */
export interface NotificationKind<Params> {
  method: string;
  params: z.ZodType<Params>;
}

/** A path from the root of a file system: "/a/b", "C:\a" or "\\server\share". */
const absolutePathSchema = z.string().regex(/^([/\\]|[A-Za-z]:[/\\])/, "is not an absolute path");

/** One run: the run folder it lies in (`.btx`) and its id. */
export const runReferenceSchema = z.strictObject({ root: absolutePathSchema, run: z.string().min(1) });
export type RunReference = z.infer<typeof runReferenceSchema>;

const coresSchema = z.int().min(1).optional();

/** A run as lists show it. */
export const listedRunSchema = z.strictObject({
  ...runReferenceSchema.shape,
  /** Name and absolute path of the experiment when it was run. */
  name: z.string(),
  file: z.string(),
  /** "interrupted": its runner was killed. */
  state: z.enum([...runStatusSchema.options, "interrupted"]),
  created: z.string(),
  finished: z.string().optional(),
  error: z.string().optional(),
  /** Path of `report.html`, where there is one. */
  report: z.string().optional(),
});
export type ListedRun = z.infer<typeof listedRunSchema>;

/** The device that computes. */
export const deviceSchema = z.strictObject({
  engine: z.string(),
  device: z.string(),
  name: z.string(),
  cores: z.int(),
  /** Bytes. */
  memory: z.number(),
  freeMemory: z.number(),
});
export type Device = z.infer<typeof deviceSchema>;

/** Starts an experiment file as a run in processes of its own, which go on whatever becomes of editor and backend. */
export const startRun: RequestKind<{ file: string; cores?: number; randomSeed?: number }, RunReference> = {
  method: "btx/startRun",
  params: z.strictObject({ file: absolutePathSchema, cores: coresSchema, randomSeed: z.int().min(0).optional() }),
  result: runReferenceSchema,
};

/** Goes on with a run that was stopped, failed or interrupted. */
export const resumeRun: RequestKind<RunReference & { cores?: number }, RunReference> = {
  method: "btx/resumeRun",
  params: z.strictObject({ ...runReferenceSchema.shape, cores: coresSchema }),
  result: runReferenceSchema,
};

/** Asks a run to stop after a checkpoint. Gives whether it was running. */
export const stopRun: RequestKind<RunReference, { running: boolean }> = {
  method: "btx/stopRun",
  params: runReferenceSchema,
  result: z.strictObject({ running: z.boolean() }),
};

/** The runs that lie beside the given experiment files, newest first. */
export const listRuns: RequestKind<{ files: string[] }, { runs: ListedRun[]; problems: string[] }> = {
  method: "btx/listRuns",
  params: z.strictObject({ files: z.array(absolutePathSchema) }),
  /** `problems`: why runs could not be read, a sentence each. */
  result: z.strictObject({ runs: z.array(listedRunSchema), problems: z.array(z.string()) }),
};

/** What this machine computes with. */
export const listDevices: RequestKind<Record<string, never>, { devices: Device[] }> = {
  method: "btx/devices",
  params: z.strictObject({}),
  result: z.strictObject({ devices: z.array(deviceSchema) }),
};

/** From the editor: whether the workspace is trusted. Until told, the backend takes it as not trusted and starts nothing. */
export const trustChanged: NotificationKind<{ trusted: boolean }> = {
  method: "btx/trustChanged",
  params: z.strictObject({ trusted: z.boolean() }),
};

/** From the editor: the experiment files whose runs it shows. The backend tells of changes beside these only. */
export const watchRuns: NotificationKind<{ files: string[] }> = {
  method: "btx/watchRuns",
  params: z.strictObject({ files: z.array(absolutePathSchema) }),
};

/** From the backend: runs in these run folders began, ended or were removed. */
export const runsChanged: NotificationKind<{ roots: string[] }> = {
  method: "btx/runsChanged",
  params: z.strictObject({ roots: z.array(z.string()) }),
};
