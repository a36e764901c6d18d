import * as z from "zod";
import { stageStatusSchema } from "../stage.ts";
import { absolutePathSchema, runReferenceSchema } from "./basics.ts";

/** The stages of a run as the tree shows them. */

/** A model, or the state from which unfinished training resumes. */
export const listedCheckpointSchema = z.strictObject({
  holds: z.enum(["model", "training state"]),
  /** Path of its folder or file. */
  path: absolutePathSchema,
  bytes: z.number(),
  /** ISO 8601 time. */
  saved: z.string(),
  /** Optimizer step of a training state. */
  step: z.int().optional(),
});
export type ListedCheckpoint = z.infer<typeof listedCheckpointSchema>;

export const listedStageSchema = z.strictObject({
  /** Unique in its run: "expert:code". */
  name: z.string(),
  kind: z.string(),
  key: z.string(),
  folder: absolutePathSchema,
  state: z.enum([...stageStatusSchema.options, "interrupted", "waiting"]),
  /** Whether it was finished before the run started. */
  reused: z.boolean(),
  /** Tokens to train on; 0 for a stage that does not train. */
  work: z.number(),
  /** Steps, or units of other work: completed and total. `label` names work that has no steps. */
  done: z.number().optional(),
  total: z.number().optional(),
  label: z.string().optional(),
  /** Training loss, nats per token: of the last step or, when done, over the last tenth of the steps. */
  loss: z.number().optional(),
  /** Held-out loss by domain, nats per token. */
  heldOut: z.record(z.string(), z.number()).optional(),
  tokens: z.number().optional(),
  tokensPerSecond: z.number().optional(),
  /** Working time so far and remaining, seconds. */
  seconds: z.number().optional(),
  secondsLeft: z.number().optional(),
  parameters: z.number().optional(),
  activeParameters: z.number().optional(),
  /** Floating-point operations of its training. */
  flops: z.number().optional(),
  engine: z.string().optional(),
  device: z.string().optional(),
  threads: z.int().optional(),
  /** The process working on it, and its machine. */
  pid: z.int().optional(),
  host: z.string().optional(),
  /** ISO 8601 times. */
  started: z.string().optional(),
  finished: z.string().optional(),
  error: z.string().optional(),
  checkpoints: z.array(listedCheckpointSchema),
  /** Names of a mixed model's experts, in order; empty for other stages. */
  experts: z.array(z.string()),
});
export type ListedStage = z.infer<typeof listedStageSchema>;

export const stageRequests = {
  /** The stages of a run, each after its dependencies. From then on, the backend reports their changes. */
  "btx/listStages": { params: runReferenceSchema, result: z.strictObject({ stages: z.array(listedStageSchema) }) },
};

export const stageNotifications = {
  /** Stages of a run that changed. `all`: whether the list is complete. */
  "btx/stagesChanged": z.strictObject({
    ...runReferenceSchema.shape,
    all: z.boolean(),
    stages: z.array(listedStageSchema),
  }),
};
