import { basename, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import * as vscode from "vscode";
import type { Api } from "../../extension/main.ts";
import { type RunReference, runReferenceSchema } from "../../server/protocol/editor.ts";
import type { RunRecord } from "../../server/protocol/run.ts";
import { readRun } from "../../server/runs/runs.ts";

/** Shared code of the suites inside the extension host. */

/** The extension's own parts. */
export const api = (): Promise<Api> => Promise.resolve(extension().activate());

export function extension(): vscode.Extension<Api> {
  const found = vscode.extensions.getExtension<Api>("btx-studio.btx-studio");
  if (!found) throw new Error("the extension is not installed");
  return found;
}

/** A file of the workspace. */
export const file = (...path: string[]): vscode.Uri =>
  vscode.Uri.joinPath(vscode.workspace.workspaceFolders![0]!.uri, ...path);

/** Polls until `look` returns something. */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  ms = 30_000,
): Promise<T> {
  for (const end = Date.now() + ms; Date.now() < end; await setTimeout(20)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(`after ${ms} ms still not: ${what}`);
}

/** Runs a command that starts or resumes a run. */
export async function runWith(command: "btx.run" | "btx.resume", argument: object): Promise<RunReference> {
  return runReferenceSchema.parse(await vscode.commands.executeCommand(command, argument));
}

/** Waits until the run has a state. */
export function reaches({ root, run }: RunReference, state: string): Promise<RunRecord> {
  const look = async () => {
    const found = await readRun(join(root, "runs", run));
    if (found?.state === "failed" && state !== "failed") throw new Error(`the run failed: ${found.record.error}`);
    return found?.state === state ? found.record : undefined;
  };
  return until(`${basename(root)}/${run} is ${state}`, look);
}
