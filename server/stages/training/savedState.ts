import { existsSync } from "node:fs";
import * as z from "zod";
import { openSafetensors } from "../../checkpoint/safetensors.ts";
import { type NamedTensor, writeSafetensors } from "../../checkpoint/writeSafetensors.ts";
import type { Store } from "../../engine/store.ts";
import { UserError } from "../../protocol/errors.ts";
import { assertFiniteTensor } from "./trainingErrors.ts";

/** Where unfinished training stands, beside its tensors in `state.safetensors`. */
const progressSchema = z.object({
  /** Steps taken over all phases. */
  step: z.int().min(0),
  /** Seconds worked so far. */
  seconds: z.number(),
  /** The unfinished record of routing statistics. */
  routing: z.array(z.number()),
  /** Where loss scaling stands; absent where the phase is float32. */
  lossScale: z.object({ scale: z.number().positive(), steps: z.int().min(0) }).optional(),
});
export type Progress = z.infer<typeof progressSchema>;

/** Name of the unfinished record of pairs of experts, which is no parameter. */
const pairsName = "routing.pairs";

/** What is saved beside the tensors of the store. */
export interface Saved extends Progress {
  /** The unfinished record of pairs of experts; absent where none are recorded. */
  pairs?: Float64Array;
}

/**
 * Writes the named tensors of `store` and `saved` as one whole file, in place of the one before. `check` may throw on a
 * tensor: then that one stays.
 */
export async function saveState(
  path: string,
  store: Store,
  names: string[],
  saved: Saved,
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
 * Reads what `saveState` wrote into `store`: the tensors that `namesAt` says a state after so many steps has. Undefined if
 * there is nothing yet.
 */
export async function loadState(
  path: string,
  store: Store,
  namesAt: (step: number) => string[],
): Promise<Saved | undefined> {
  if (!existsSync(path)) return undefined;
  const file = await openSafetensors(path);
  try {
    const progress = progressSchema.parse(JSON.parse(file.metadata.get("progress") ?? "null"));
    for (const name of namesAt(progress.step)) store.set(name, file.tensor(name).shape, await file.readFloat32(name));
    if (!file.names.includes(pairsName)) return progress;
    return { ...progress, pairs: (await file.read(pairsName)) as Float64Array };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path} holds no training state that can be read: remove it to start the stage anew`);
  } finally {
    await file.close();
  }
}
