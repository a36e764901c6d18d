import * as z from "zod";
import { deviceNews, deviceNotices, deviceRequests } from "./editor/devices.ts";
import { inspectNews, inspectRequests } from "./editor/inspect.ts";
import { modelNews, modelRequests } from "./editor/models.ts";
import { removalRequests } from "./editor/removal.ts";
import { runNews, runRequests } from "./editor/runs.ts";
import { stageNews, stageRequests } from "./editor/stages.ts";
import { streamRequests } from "./editor/stream.ts";

/** What the editor and the backend say to each other beside the language server protocol. Both sides validate. */

export { type RunReference, runReferenceSchema, type StageReference } from "./editor/basics.ts";
export type { Load, WorkingStage } from "./editor/devices.ts";
export type { LostStage, Removed } from "./editor/removal.ts";
export { type ListedRun, listedRunSchema } from "./editor/runs.ts";
export { type ListedCheckpoint, type ListedStage, listedStageSchema } from "./editor/stages.ts";

/** What the editor asks the backend: what a request takes and what it gives. */
export const requests = {
  ...runRequests,
  ...stageRequests,
  ...deviceRequests,
  ...removalRequests,
  ...modelRequests,
  ...inspectRequests,
  ...streamRequests,
};

/** What the editor tells the backend. */
export const notices = {
  /** Whether the workspace is trusted. Until told, the backend takes it as not trusted and starts nothing. */
  "btx/trustChanged": z.strictObject({ trusted: z.boolean() }),
  ...deviceNotices,
};

/** What the backend tells the editor. */
export const news = { ...runNews, ...stageNews, ...deviceNews, ...modelNews, ...inspectNews };

type Requests = typeof requests;
export type Request = keyof Requests;
export type Asked<R extends Request> = z.infer<Requests[R]["params"]>;
export type Answer<R extends Request> = z.infer<Requests[R]["result"]>;
export type Notice = keyof typeof notices;
export type Told<N extends Notice> = z.infer<(typeof notices)[N]>;
export type News = keyof typeof news;
export type Heard<N extends News> = z.infer<(typeof news)[N]>;
