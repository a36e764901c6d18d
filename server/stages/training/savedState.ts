import { existsSync } from "node:fs";
import { z } from "zod";
import { openSafetensors } from "../../checkpoint/safetensors.ts";
import { writeSafetensors } from "../../checkpoint/writeSafetensors.ts";
import type { Store } from "../../engine/runtime/store.ts";
import { UserError } from "../../protocol/errors.ts";

/** Where unfinished training stands, beside its tensors in `state.safetensors`. */
const progressSchema = z.object({
  /** Steps taken over all phases. */
  step: z.int().min(0),
  /** Seconds worked so far. */
  seconds: z.number(),
  /** The unfinished record of routing statistics. */
  routing: z.array(z.number()),
});
export type Progress = z.infer<typeof progressSchema>;

/** Writes the named tensors of `store` and `progress` as one whole file. */
export async function saveState(path: string, store: Store, names: string[], progress: Progress): Promise<void> {
  const tensors = names.map((name) => {
    const { shape, data } = store.get(name);
    return { name, dtype: "F32" as const, shape, data: data as Float32Array<ArrayBuffer> };
  });
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
): Promise<Progress | undefined> {
  if (!existsSync(path)) return undefined;
  const file = await openSafetensors(path);
  try {
    const progress = progressSchema.parse(JSON.parse(file.metadata.get("progress") ?? "null"));
    for (const name of namesAt(progress.step)) store.set(name, file.tensor(name).shape, await file.readFloat32(name));
    return progress;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path} holds no training state that can be read: remove it to start the stage anew`);
  } finally {
    await file.close();
  }
}
