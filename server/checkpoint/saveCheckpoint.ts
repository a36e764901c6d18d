import { mkdir, readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isTemporary, makeFolder, remove, renameInto, temporaryName, writeFileAtomic } from "../disk/atomic.ts";
import { hasCode, withDiskErrors } from "../disk/errors.ts";
import { readBounded, statsOf } from "../disk/open.ts";
import { maxTokenizerBytes } from "../protocol/data.ts";
import { UserError } from "../protocol/errors.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { storedTensors } from "./families/index.ts";
import { configText } from "./huggingFace.ts";
import { configFile } from "./readConfig.ts";
import { storedAs } from "./storedTensors.ts";
import { weightsFile } from "./weights.ts";
import { writeSafetensors } from "./writeSafetensors.ts";

export interface Parameter {
  shape: number[];
  data: Float32Array<ArrayBuffer>;
}

export interface Checkpoint {
  config: ModelConfig;
  /** By their Hugging Face names. */
  tensors: Map<string, Parameter>;
}

export interface CheckpointFiles extends Checkpoint {
  /** Id of the end-of-text token. */
  endOfText?: number;
  /** Folder whose `tokenizer.json` (required) and `tokenizer_config.json` (if there) are copied. */
  tokenizerFolder?: string;
  /** Folder of the model that this one was made from; files that belong to a model (`companionFiles`) are copied. */
  madeFrom?: string;
}

/** Name of the folder that is being replaced, between two renames. */
export const replacedFolder = (folder: string): string => `${folder}.old`;

/**
 * Writes a checkpoint's folder in the Hugging Face layout: `config.json`, `model.safetensors` and tokenizer files.
 *
 * A reader, or a start after SIGKILL, never meets half of one:
 * - A new folder is written and synced under a temporary name, then renamed.
 * - In a folder that differs in its weights only, `model.safetensors` is written beside itself and renamed over: one
 *   step.
 * - A folder that differs in more is renamed to `<folder>.old`, the new one takes its name, the old one is removed. In
 *   between there is no `<folder>`: `openCheckpoint` then reads `.old`, and a kill there is mended by the next save.
 *
 * One writer at a time (who holds the stage's lock): what killed writers left is removed first.
 *
 * @throws UserError when the disk is full or may not be written, or there is no tokenizer; the checkpoint that was
 * there stays.
 */
export async function saveCheckpoint(folder: string, files: CheckpointFiles): Promise<void> {
  const small = await smallFiles(files);
  await withDiskErrors(folder, async () => {
    makeFolder(dirname(folder));
    await mendFolder(folder);
    if (await holdsFiles(folder, small)) {
      await writeWeights(folder, files);
      return;
    }
    const temporary = temporaryName(folder);
    try {
      await mkdir(temporary);
      for (const [name, bytes] of small) await writeFileAtomic(join(temporary, name), bytes);
      await writeWeights(temporary, files);
      await replaceFolder(temporary, folder);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
      throw error;
    }
  });
}

/** With the metadata without which Transformers refuses the file. */
function writeWeights(folder: string, { config, tensors }: Checkpoint): Promise<void> {
  return writeSafetensors(join(folder, weightsFile), storedAs(tensors, storedTensors(config)), { format: "pt" });
}

/** All files of a checkpoint but its weights. */
async function smallFiles(checkpoint: CheckpointFiles): Promise<Map<string, Uint8Array>> {
  const { config, endOfText, tokenizerFolder, madeFrom } = checkpoint;
  const text = configText(config, endOfText === undefined ? {} : { endOfText });
  const files = new Map<string, Uint8Array>([[configFile, Buffer.from(text, "utf8")]]);
  for (const [name, bytes] of madeFrom === undefined ? [] : await companionsIn(madeFrom)) files.set(name, bytes);
  if (tokenizerFolder === undefined) return files;
  const tokenizer = await readIfThere(join(tokenizerFolder, "tokenizer.json"));
  if (!tokenizer) throw new UserError(`${tokenizerFolder} has no tokenizer.json, which a checkpoint needs`);
  files.set("tokenizer.json", tokenizer);
  const tokenizerConfig = await readIfThere(join(tokenizerFolder, "tokenizer_config.json"));
  if (tokenizerConfig) files.set("tokenizer_config.json", tokenizerConfig);
  return files;
}

/** Names of files that belong to a model and mean the same for every model made of it. */
const companionFiles =
  /^(chat_template\.(jinja|json)|generation_config\.json|special_tokens_map\.json|added_tokens\.json|README\.md|(LICENSE|LICENCE|NOTICE|USE_POLICY)(\.(md|txt))?)$/i;

/** Most bytes of one of them; larger ones are left out. */
const maxCompanionBytes = 16 << 20;

async function companionsIn(folder: string): Promise<[name: string, bytes: Buffer][]> {
  const found: [string, Buffer][] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!companionFiles.test(entry.name)) continue;
    const path = join(folder, entry.name);
    const info = await statsOf(path);
    if (info?.isFile() && info.size <= maxCompanionBytes)
      found.push([entry.name, await readBounded(path, maxCompanionBytes)]);
  }
  return found;
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readBounded(path, maxTokenizerBytes);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

/** Whether the folder is a checkpoint with exactly these files beside its weights. */
async function holdsFiles(folder: string, files: Map<string, Uint8Array>): Promise<boolean> {
  const names = await namesIn(folder);
  if (names.length !== files.size + 1 || !names.includes(weightsFile)) return false;
  for (const [name, bytes] of files) if (!(await readIfThere(join(folder, name)))?.equals(bytes)) return false;
  return true;
}

/** Cleans up after a killed save: removes its temporary files, and restores a folder that was being replaced. */
async function mendFolder(folder: string): Promise<void> {
  const parent = dirname(folder);
  const siblings = await namesIn(parent);
  for (const name of siblings)
    if (isTemporary(name) && name.startsWith(`${basename(folder)}.`)) await remove(join(parent, name));
  for (const name of await namesIn(folder)) if (isTemporary(name)) await remove(join(folder, name));
  const old = replacedFolder(folder);
  if (!siblings.includes(basename(old))) return;
  if (siblings.includes(basename(folder))) await remove(old);
  else await renameInto(old, folder);
}

/** Renames `temporary` to `folder`. If that fails, the old folder stays. */
async function replaceFolder(temporary: string, folder: string): Promise<void> {
  const old = replacedFolder(folder);
  const replaces = (await namesIn(dirname(folder))).includes(basename(folder));
  if (replaces) await renameInto(folder, old);
  try {
    await renameInto(temporary, folder);
  } catch (error) {
    if (replaces) await renameInto(old, folder);
    throw error;
  }
  await remove(old);
}
