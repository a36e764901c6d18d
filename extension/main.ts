import type { ExtensionContext } from "vscode";
import { Backend } from "./backend.ts";
import { registerCommands } from "./commands/index.ts";
import { registerRunCount } from "./editor/runCount.ts";
import { Experiments } from "./experiments.ts";
import type { Studio } from "./studio.ts";
import { registerDevices } from "./tree/devices.ts";
import { registerExperiments } from "./tree/experiments.ts";

/** What the tests inside the extension host look at. */
export type Api = Studio;

let studio: Studio | undefined;

/** Wires the parts and returns: the backend starts when the extension host has time. */
export function activate(context: ExtensionContext): Api {
  const backend = new Backend(context);
  const experiments = new Experiments(context, backend);
  studio = { context, backend, experiments };
  registerCommands(studio);
  registerExperiments(studio);
  registerDevices(studio);
  registerRunCount(studio);
  backend.startSoon();
  return studio;
}

export async function deactivate(): Promise<void> {
  await studio?.backend.stop();
}
