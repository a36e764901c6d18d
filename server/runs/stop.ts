import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { withDiskErrors } from "./atomic.ts";

/** Asking a stage or run to stop: a file that its process looks for between steps. Works over a shared disk. */

/** @param path `stop` of StagePaths or RunPaths. */
export const requestStop = (path: string): Promise<void> => withDiskErrors(path, () => writeFile(path, ""));

/** True while a stop is asked for; quick enough to ask every step. */
export const stopRequested = (path: string): boolean => existsSync(path);

/** Takes the request back, before the work is taken up again. */
export const clearStop = (path: string): Promise<void> => withDiskErrors(path, () => rm(path, { force: true }));
