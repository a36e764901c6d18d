import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { checkFile, digestsOfFiles } from "../disk/fileDigests.ts";
import { type FileDigests, stageRecordSchema } from "../protocol/stage.ts";
import { explainDamage } from "./damage.ts";
import { stagePathsIn } from "./layout.ts";
import { readJson } from "./read.ts";

/**
 * The files of a finished stage whose digests its record holds. Files of weights and of tokens are not among them: they
 * have digests of each of their parts, so that a part can be checked without reading the rest.
 */
const isRecorded = (name: string): boolean =>
  name.startsWith("checkpoint/")
    ? !name.endsWith(".safetensors")
    : /\.(json|jsonl|f32|digests)$/.test(name) && !["stage.json", "working.json", "progress.json"].includes(name);

/** Files that only people look at: no stage reads those of another. */
const isForPeople = (name: string): boolean => /^(metrics|routing)/.test(name);

/**
 * Digests of a stage's files, for its record.
 *
 * @param written digests of files that were computed while they were written: these files are not read.
 */
export async function digestsOfStage(folder: string, written: FileDigests): Promise<FileDigests> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((name) => isRecorded(name) && !Object.hasOwn(written, name))
    .sort();
  return { ...(await digestsOfFiles(folder, names)), ...written };
}

/**
 * Checks the files of a finished stage that other stages use, apart from those with digests of their own, if its record
 * has their digests.
 *
 * @param run id of the run that uses them, where there is one.
 * @throws DamagedError that names the file, the stage and how to make it again.
 */
export async function checkResult(folder: string, run?: string): Promise<void> {
  const record = await readJson(stagePathsIn(folder).record, stageRecordSchema);
  try {
    for (const [name, digest] of Object.entries(record?.files ?? {}))
      if (!isForPeople(name)) await checkFile(join(folder, name), digest);
  } catch (error) {
    throw explainDamage(error, run);
  }
}
