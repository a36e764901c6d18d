import type { LostStage } from "../protocol/editor.ts";
import { stageRecordSchema } from "../protocol/stage.ts";
import { stagePaths } from "./layout.ts";
import { lockHolder } from "./lock.ts";
import { readJson } from "./read.ts";
import { folderBytes } from "./remove.ts";
import { type StageUses, stageUses, unusedStages } from "./uses.ts";

const recordSchema = stageRecordSchema.pick({ name: true, seconds: true, finished: true });

/**
 * What goes with the folder of a stage; undefined where there is none.
 *
 * @param except a run that does not count among those that use it.
 */
export async function lostStage(
  root: string,
  key: string,
  uses: StageUses,
  except?: string,
): Promise<LostStage | undefined> {
  const { folder, record: path } = stagePaths(root, key);
  const bytes = await folderBytes(folder);
  // What cannot be read is lost all the same.
  const record = await readJson(path, recordSchema.strip()).catch(() => undefined);
  if (!record && bytes === 0) return undefined;
  return {
    key,
    name: record?.name ?? key,
    bytes,
    seconds: record?.seconds ?? 0,
    otherRuns: (uses.get(key) ?? []).filter((run) => run !== except).length,
    locked: lockHolder(folder) !== undefined,
    ...(record?.finished === undefined ? {} : { finished: record.finished }),
  };
}

/** What would go with these stages, in their order. */
export async function lostStages(
  root: string,
  keys: Iterable<string>,
  uses: StageUses,
  except?: string,
): Promise<LostStage[]> {
  const lost: LostStage[] = [];
  for (const key of new Set(keys)) {
    const stage = await lostStage(root, key, uses, except);
    if (stage) lost.push(stage);
  }
  return lost;
}

/** The stages that nothing uses, the largest first. @throws UserError for a run that cannot be read. */
export async function lostUnused(root: string): Promise<LostStage[]> {
  const lost = await lostStages(root, await unusedStages(root), await stageUses(root));
  return lost.filter(({ otherRuns }) => otherRuns === 0).sort((a, b) => b.bytes - a.bytes);
}

/** Why a stage that was unused stays; undefined where it may go. */
export async function whyUsed(root: string, key: string): Promise<string | undefined> {
  const users = (await stageUses(root)).get(key);
  return users && `stage ${key} is used by ${users.join(", ")} now`;
}
