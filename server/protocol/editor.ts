import * as z from "zod";
import { deviceNotifications, deviceRequests, loadNotifications } from "./editor/devices.ts";
import { modelNotifications, modelRequests } from "./editor/models.ts";
import { removalRequests } from "./editor/removal.ts";
import { runNotifications, runRequests } from "./editor/runs.ts";
import { stageNotifications, stageRequests } from "./editor/stages.ts";
import { originSchema, relayOrigin, ticketSchema } from "./stream.ts";

/**
 * Messages between the editor and the backend in addition to the language server protocol. Both sides validate them.
 */

export { type RunReference, runReferenceSchema, type StageReference } from "./editor/basics.ts";
export type { Load, WorkingStage } from "./editor/devices.ts";
export type { LostStage, Removed } from "./editor/removal.ts";
export { type ListedRun, listedRunSchema } from "./editor/runs.ts";
export { type ListedCheckpoint, type ListedStage, listedStageSchema } from "./editor/stages.ts";

/** Requests from the editor to the backend: parameters and results. */
export const requests = {
  ...runRequests,
  ...stageRequests,
  ...deviceRequests,
  ...removalRequests,
  ...modelRequests,
  /**
   * Permission for a page of this origin to connect to the backend directly; see stream.ts. The first request opens the
   * port.
   */
  "btx/openStream": {
    params: z.strictObject({ origin: z.union([originSchema, z.literal(relayOrigin)]) }),
    result: ticketSchema,
  },
};

/** Notifications from the editor to the backend. */
export const editorNotifications = {
  /** Whether the workspace is trusted. Until it arrives, the backend assumes it is not and starts nothing. */
  "btx/trustChanged": z.strictObject({ trusted: z.boolean() }),
  ...loadNotifications,
};

/** Notifications from the backend to the editor. */
export const backendNotifications = {
  ...runNotifications,
  ...stageNotifications,
  ...deviceNotifications,
  ...modelNotifications,
};

type Requests = typeof requests;
export type Request = keyof Requests;
export type RequestParams<R extends Request> = z.infer<Requests[R]["params"]>;
export type RequestResult<R extends Request> = z.infer<Requests[R]["result"]>;
export type EditorNotification = keyof typeof editorNotifications;
export type EditorNotificationParams<N extends EditorNotification> = z.infer<(typeof editorNotifications)[N]>;
export type BackendNotification = keyof typeof backendNotifications;
export type BackendNotificationParams<N extends BackendNotification> = z.infer<(typeof backendNotifications)[N]>;
