import type { Request } from "./editor.ts";
import { UserError } from "./errors.ts";
import type { Question } from "./stream.ts";

/**
 * Which requests and questions the backend answers in a trusted workspace only: whatever starts a program, runs a model
 * or writes to a disk. For each, the beginning of the sentence that refuses it; `false` for what only reads.
 */
type TrustNeeded = string | false;

/** Of the editor's requests. */
export const requestsNeedTrust: Readonly<Record<Request, TrustNeeded>> = {
  "btx/startRun": "Runs start",
  "btx/resumeRun": "Runs start",
  "btx/stopRun": "Runs are stopped",
  "btx/watchRuns": false,
  "btx/runLog": false,
  "btx/stageNames": false,
  "btx/listStages": false,
  "btx/rerunLoses": false,
  "btx/rerun": "Runs start",
  "btx/deleteLoses": false,
  "btx/deleteRun": "Runs are deleted",
  "btx/unusedStages": false,
  "btx/cleanStages": "Stages are removed",
  "btx/sample": "Models are sampled",
  "btx/route": "Texts are routed",
  "btx/sampleTokens": "Models are sampled",
  "btx/exportModel": "Models are exported",
  "btx/compareRuns": "Runs are compared",
  "btx/forkRun": "Runs are forked",
  "btx/writeDemo": "The demo is written",
  // This starts `btx verify`, which only reads.
  "btx/verifyRun": false,
  // These two start `btx devices` and `btx engines`, which read this machine and nothing of the workspace.
  "btx/devices": false,
  "btx/engines": false,
  "btx/installEngine": "Engines are installed",
  "btx/computeText": false,
  "btx/openStream": false,
};

/** Of the questions of pages. */
export const questionsNeedTrust: Readonly<Record<Question["type"], TrustNeeded>> = {
  runs: false,
  open: false,
  view: false,
  statistics: false,
  export: false,
  openRouting: false,
  routing: false,
  routingLayers: false,
  routingPairs: false,
  routingHistogram: false,
  routingLoad: false,
  routingSaturation: false,
  inspect: "Models are run",
  expertOrigin: false,
};

/** @throws UserError for what needs trust, in a workspace that is not trusted. */
export function checkTrust(needed: TrustNeeded, trusted: boolean): void {
  if (needed === false || trusted) return;
  throw new UserError(`${needed} in a trusted workspace only: choose Manage Workspace Trust and trust this one.`);
}
