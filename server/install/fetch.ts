import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { EnginePackage, InstallEvent } from "../protocol/devices.ts";
import type { CatalogEntry } from "./catalog.ts";

/** Progress of an installation. */
export type Progress = Omit<Extract<InstallEvent, { event: "progress" }>, "event" | "engine">;

/** What downloads and unpacks a package is given. */
export interface Fetch {
  name: EnginePackage;
  entry: CatalogEntry;
  /** Becomes the package's folder. */
  folder: string;
  signal: AbortSignal;
  onProgress(progress: Progress): void;
}

/** How often the size of a growing folder is measured, ms. */
const period = 500;

/** Reports the size of a folder while `work` fills it, since package clients report no progress to programs. */
export async function watchGrowth<T>(
  folder: string,
  { label, total, onProgress }: { label: string; total: number } & Pick<Fetch, "onProgress">,
  work: Promise<T>,
): Promise<T> {
  const ended = new AbortController();
  const watching = (async () => {
    while (!ended.signal.aborted) {
      onProgress({ label, done: Math.min(await sizeOfFolder(folder), total), total });
      await setTimeout(period, undefined, { signal: ended.signal }).catch(() => {});
    }
  })();
  try {
    return await work;
  } finally {
    ended.abort();
    await watching;
  }
}

/** Bytes of all files in a folder and below it, without files that are removed while they are counted. */
export async function sizeOfFolder(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  let sum = 0;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    sum += await stat(join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return sum;
}
