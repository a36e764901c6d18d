import { join } from "node:path";
import { commands, env, UIKind, Uri } from "vscode";
import type { Studio } from "../studio.ts";
import { chosenRun } from "./target.ts";

/** Shows the folder of a run, a stage or a checkpoint: in the system's file manager, or over a remote in the explorer. */
export async function revealFolder(studio: Studio, argument: unknown): Promise<unknown> {
  const { stage, checkpoint } = (argument ?? {}) as { stage?: { folder?: string }; checkpoint?: { path?: string } };
  let path = checkpoint?.path ?? stage?.folder;
  if (path === undefined) {
    const run = await chosenRun(studio, argument, () => true, "There is no run yet.");
    if (!run) return undefined;
    path = join(run.root, "runs", run.run);
  }
  const here = env.remoteName === undefined && env.uiKind === UIKind.Desktop;
  return commands.executeCommand(here ? "revealFileInOS" : "revealInExplorer", Uri.file(path));
}
