/** What the suites use of the product's readers of run folders and checkpoints. */
export { runPaths, stagePaths } from "../../../server/runs/layout.ts";
export { readLastMetric } from "../../../server/runs/read.ts";
export { listRuns, readRun } from "../../../server/runs/runs.ts";
export { forceRouters, writeKnownExperiment } from "../../fixtures/knownRouting.ts";
