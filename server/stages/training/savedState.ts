import { existsSync } from "node:fs";
import { basename } from "node:path";
import * as z from "zod";
import { openSafetensors } from "../../checkpoint/safetensors.ts";
import { type NamedTensor, writeSafetensors } from "../../checkpoint/writeSafetensors.ts";
import type { GrownFile } from "../../disk/append.ts";
import { checkDigest } from "../../disk/fileDigests.ts";
import type { Store } from "../../engine/store.ts";
import { UserError } from "../../protocol/errors.ts";
import { type FileDigests, fileDigestsSchema } from "../../protocol/stage.ts";
import { assertFiniteTensor } from "./trainingErrors.ts";

/** Progress of unfinished training, stored with its tensors in `state.safetensors`. */
const progressSchema = z.object({
  /** Steps taken over all phases. */
  step: z.int().min(0),
  /** Working time so far, seconds. */
  seconds: z.number(),
  /** The unfinished record of routing statistics. */
  routing: z.array(z.number()),
  /** State of loss scaling; absent if the phase is float32. */
  lossScale: z.object({ scale: z.number().positive(), steps: z.int().min(0) }).optional(),
  /** The files that grow with training, as they were at this step; absent in states of older versions. */
  files: fileDigestsSchema.optional(),
});
export type Progress = z.infer<typeof progressSchema>;

/** Name of the tensor with the unfinished record of expert pairs. */
const pairsName = "routing.pairs";

/** The saved state in addition to the store's tensors. */
export interface SavedTraining extends Progress {
  /** The unfinished record of expert pairs; absent if none are recorded. */
  pairs?: Float64Array;
}

/**
 * Atomically replaces the saved state with the named tensors of `store` and with `saved`. If `check` throws for a
 * tensor, the previous file is kept.
 */
export async function saveState(
  path: string,
  store: Store,
  names: string[],
  saved: SavedTraining,
  check: (name: string, values: ArrayLike<number>) => void = assertFiniteTensor,
): Promise<void> {
  const { pairs, ...progress } = saved;
  const tensors: NamedTensor[] = [];
  for (const name of names) {
    const { shape, data } = await store.read(name);
    check(name, data);
    tensors.push({ name, dtype: "F32", shape, data: data as Float32Array<ArrayBuffer> });
  }
  if (pairs)
    tensors.push({ name: pairsName, dtype: "F64", shape: [pairs.length], data: pairs as Float64Array<ArrayBuffer> });
  await writeSafetensors(path, tensors, { progress: JSON.stringify(progress) });
}

/**
 * Reads a saved state into `store`; `namesAt` names the tensors of a state after a number of steps. Returns undefined
 * if there is no file yet.
 *
 * @throws UserError if the file is not a readable training state
 */
export async function loadState(
  path: string,
  store: Store,
  namesAt: (step: number) => string[],
): Promise<SavedTraining | undefined> {
  if (!existsSync(path)) return undefined;
  const file = await openSafetensors(path);
  try {
    const progress = progressOf(path, file.metadata);
    for (const name of namesAt(progress.step)) store.set(name, file.tensor(name).shape, await file.readFloat32(name));
    if (!file.names.includes(pairsName)) return progress;
    return { ...progress, pairs: (await file.read(pairsName)) as Float64Array };
  } finally {
    await file.close();
  }
}

function progressOf(path: string, metadata: ReadonlyMap<string, string>): Progress {
  try {
    return progressSchema.parse(JSON.parse(metadata.get("progress") ?? "null"));
  } catch {
    throw new UserError(`"${path}" is not a readable training state: remove it to start the stage from the beginning`);
  }
}

/** The digests that a saved state has of the files that grow with training. @throws UserError as `loadState` */
export async function savedFiles(path: string): Promise<FileDigests> {
  const file = await openSafetensors(path);
  await file.close();
  return progressOf(path, file.metadata).files ?? {};
}

/** Digests of files that grow with training, as they are now. */
export const digestsOfGrown = (files: readonly GrownFile[]): FileDigests =>
  Object.fromEntries(files.map(({ path, digest }) => [basename(path), digest]));

/**
 * Checks that the files, cut back to the saved step, are as they were when the state was saved.
 *
 * @throws DamagedError
 */
export function checkGrown(files: readonly GrownFile[], saved: FileDigests = {}): void {
  for (const { path, digest } of files) {
    const expected = saved[basename(path)];
    if (expected) checkDigest(path, digest, expected);
  }
}
