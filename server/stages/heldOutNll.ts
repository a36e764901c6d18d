import { join } from "node:path";
import * as z from "zod";
import { makeFolder, writeJson } from "../disk/atomic.ts";
import { UserError } from "../protocol/errors.ts";
import { readJson } from "../runs/read.ts";

/** What an evaluation writes for ensembles of the evaluated models, in the folder `nll`. */

/** Negative log-likelihood of every held-out target of a domain, in the order of `heldOutWindows`: float32, nats. */
export const nllPath = (stageFolder: string, domain: string): string => join(stageFolder, "nll", `${domain}.f32`);

const windowsSchema = z.object({ context: z.int(), batch: z.int(), maxTokens: z.int() });
/** The windows of an evaluation. */
export type Windows = z.infer<typeof windowsSchema>;

const windowsPath = (stageFolder: string) => join(stageFolder, "nll", "windows.json");

export async function writeWindows(stageFolder: string, windows: Windows): Promise<void> {
  await makeFolder(join(stageFolder, "nll"));
  await writeJson(windowsPath(stageFolder), windows);
}

export async function readWindows(stageFolder: string): Promise<Windows> {
  const path = windowsPath(stageFolder);
  const windows = await readJson(path, windowsSchema);
  if (!windows)
    throw new UserError(`${path} does not exist: delete the folder ${stageFolder}, then run \`btx resume\``);
  return windows;
}
