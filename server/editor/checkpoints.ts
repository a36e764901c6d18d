import { stat } from "node:fs/promises";
import { join } from "node:path";
import { openSafetensors } from "../checkpoint/safetensors.ts";
import type { ListedCheckpoint } from "../protocol/editor.ts";
import type { StagePaths } from "../runs/layout.ts";

/** Reads a file where it has changed; undefined where there is none. */
type Once = <T>(path: string, read: () => Promise<T>) => Promise<T | undefined>;

/** The model that a stage has made, and the state from which its unfinished training goes on. */
export async function checkpointsOf(paths: StagePaths, unfinished: boolean, once: Once): Promise<ListedCheckpoint[]> {
  const found: ListedCheckpoint[] = [];
  const weights = join(paths.checkpoint, "model.safetensors");
  const model = await once(weights, () => sizeAndTime(weights));
  if (model) found.push({ holds: "model", path: paths.checkpoint, ...model });
  const state = unfinished ? await once(paths.state, () => readState(paths.state)) : undefined;
  if (state) found.push({ holds: "training state", path: paths.state, ...state });
  return found;
}

async function sizeAndTime(path: string): Promise<{ bytes: number; saved: string }> {
  const { size, mtime } = await stat(path);
  return { bytes: size, saved: mtime.toISOString() };
}

async function readState(path: string): Promise<{ bytes: number; saved: string; step?: number }> {
  const facts = await sizeAndTime(path);
  try {
    const file = await openSafetensors(path);
    await file.close();
    const step: unknown = JSON.parse(file.metadata.get("progress") ?? "{}").step;
    return Number.isSafeInteger(step) ? { ...facts, step: step as number } : facts;
  } catch {
    // It was being replaced, or is damaged: the stage will say so when it goes on.
    return facts;
  }
}
