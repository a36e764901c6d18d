import { commands, window } from "vscode";
import type { Studio } from "../studio.ts";
import { openReport } from "./openReport.ts";
import { resume } from "./resume.ts";
import { run } from "./run.ts";
import { showLog } from "./showLog.ts";
import { stop } from "./stop.ts";

/** A palette command: what it is given depends on where it is called from, see target.ts. */
export type Command = (studio: Studio, argument: unknown) => Promise<unknown>;

const all: Record<string, Command> = {
  "btx.run": run,
  "btx.stop": stop,
  "btx.resume": resume,
  "btx.openReport": openReport,
  "btx.showLog": showLog,
};

export function registerCommands(studio: Studio): void {
  for (const [name, command] of Object.entries(all)) {
    const execute = (argument: unknown) => said(studio, () => command(studio, argument));
    studio.context.subscriptions.push(commands.registerCommand(name, execute));
  }
}

/** Does a command's work; what goes wrong is said in one message. */
async function said(studio: Studio, work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    studio.backend.log.error(text);
    const show = "Show Log";
    void window.showErrorMessage(text, show).then((choice) => {
      if (choice === show) studio.backend.log.show();
    });
    return undefined;
  }
}
