import { commands, window } from "vscode";
import type { Studio } from "../studio.ts";
import { compare, compareWith } from "./compare.ts";
import { installEngine } from "./installEngine.ts";
import { createDemo, fork, newExperiment } from "./newExperiment.ts";
import { openExpert, openMetrics, openReport, openRouting, openTokens } from "./openPages.ts";
import { cleanStages, deleteRun } from "./remove.ts";
import { clearRouting, routeLayer, routeSelection } from "./routeText.ts";
import { exportModel, exportReport, revealFolder, showLog } from "./runFiles.ts";
import { rerun, resume, run, runStage, showRunning, stop } from "./runs.ts";
import { sample } from "./sample.ts";
import { selectDevice } from "./selectDevice.ts";
import { verifyRun } from "./verify.ts";

/**
 * A command. Its argument depends on where it is called from, see target.ts. `selection` holds all selected rows of a
 * tree; `argument` is the row that was clicked.
 */
export type Command = (studio: Studio, argument: unknown, selection?: unknown) => Promise<unknown>;

const all: Record<string, Command> = {
  "btx.newExperiment": newExperiment,
  "btx.createDemo": createDemo,
  "btx.run": run,
  "btx.runStage": runStage,
  "btx.stop": stop,
  "btx.resume": resume,
  "btx.rerun": rerun,
  "btx.fork": fork,
  "btx.compare": compare,
  "btx.compareWith": compareWith,
  "btx.openMetrics": openMetrics,
  "btx.openRouting": openRouting,
  "btx.openExpert": openExpert,
  "btx.openTokens": openTokens,
  "btx.openReport": openReport,
  "btx.showLog": showLog,
  "btx.showRunning": showRunning,
  "btx.sample": sample,
  "btx.routeSelection": routeSelection,
  "btx.routeLayer": routeLayer,
  "btx.clearRouting": clearRouting,
  "btx.exportModel": exportModel,
  "btx.exportReport": exportReport,
  "btx.revealFolder": revealFolder,
  "btx.verifyRun": verifyRun,
  "btx.deleteRun": deleteRun,
  "btx.cleanStages": cleanStages,
  "btx.selectDevice": selectDevice,
  "btx.installEngine": installEngine,
};

export const commandNames = Object.keys(all);

export function registerCommands(studio: Studio): void {
  for (const [name, command] of Object.entries(all)) {
    const execute = (argument: unknown, selection: unknown) =>
      reportErrors(studio, () => command(studio, argument, selection));
    studio.context.subscriptions.push(commands.registerCommand(name, execute));
  }
}

/** Runs a command and shows its error, if any, as a message. */
async function reportErrors(studio: Studio, work: () => Promise<unknown>): Promise<unknown> {
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
