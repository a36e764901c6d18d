import type { ExtensionContext } from "vscode";
import { Backend } from "./backend.ts";
import { commandNames, registerCommands } from "./commands/index.ts";
import { registerStatusBar } from "./editor/statusBar.ts";
import { Experiments } from "./experiments.ts";
import { registerPages } from "./panels/livePages.ts";
import { registerWrittenPages } from "./panels/page.ts";
import { Routing } from "./routing/routing.ts";
import { Samples } from "./samples.ts";
import type { Studio } from "./studio.ts";
import { registerTasks } from "./tasks.ts";
import { DevicesTree } from "./tree/devices.ts";
import { ExperimentsTree } from "./tree/experiments.ts";

/** API for tests inside the extension host. */
export type Api = Studio;

let studio: Studio | undefined;

/** Wires the parts and returns: the backend starts when the extension host has time. */
export function activate(context: ExtensionContext): Api {
  const backend = new Backend(context, commandNames);
  const experiments = new Experiments(context, backend);
  const tree = new ExperimentsTree(context, experiments);
  const devices = new DevicesTree(context, backend);
  const [samples, routing] = [new Samples(context), new Routing(context, backend)];
  studio = { context, backend, experiments, tree, devices, samples, routing };
  registerCommands(studio);
  registerPages(studio);
  registerWrittenPages(studio);
  registerStatusBar(studio);
  registerTasks(studio);
  backend.startSoon();
  return studio;
}

export async function deactivate(): Promise<void> {
  await studio?.backend.stop();
}
