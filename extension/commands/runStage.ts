import { window } from "vscode";
import type { Studio } from "../studio.ts";
import { startRun } from "./run.ts";
import { experimentFile } from "./target.ts";

/** Runs one stage of an experiment file and what it needs. A lens names the stage; from the palette the person picks it. */
export async function runStage(studio: Studio, argument: unknown): Promise<unknown> {
  const file = await experimentFile(studio, argument);
  if (!file) return undefined;
  const { stage } = (argument ?? {}) as { stage?: unknown };
  const name = typeof stage === "string" ? stage : await picked(studio, file.fsPath);
  return name === undefined ? undefined : startRun(studio, file, name);
}

async function picked(studio: Studio, file: string): Promise<string | undefined> {
  const { stages } = await studio.backend.request("btx/stageNames", { file });
  const items = stages.map(({ name, does }) => ({ label: name, description: does }));
  const placeHolder = "Stage to run, with what it needs";
  return (await window.showQuickPick(items, { placeHolder, matchOnDescription: true }))?.label;
}
