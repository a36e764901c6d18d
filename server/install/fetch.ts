import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { EnginePackage, InstallEvent } from "../protocol/devices.ts";
import type { CatalogEntry } from "./catalog.ts";

/** How far an installation has come. */
export type Progress = Omit<Extract<InstallEvent, { event: "progress" }>, "event" | "engine">;

/** What a fetch works with. */
export interface Fetch {
  name: EnginePackage;
  entry: CatalogEntry;
  /** Becomes the package's folder. */
  folder: string;
  signal: AbortSignal;
  onProgress(progress: Progress): void;
}

/** Milliseconds between looks at the size of a growing folder. */
const tick = 500;

/** Reports how a folder grows while `work` fills it: package clients do not report their progress to programs. */
export async function watchGrowth<T>(
  folder: string,
  { label, total, onProgress }: { label: string; total: number } & Pick<Fetch, "onProgress">,
  work: Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      onProgress({ label, done: Math.min(await sizeOfFolder(folder), total), total });
      await setTimeout(tick, undefined, { signal: over.signal }).catch(() => {});
    }
  })();
  try {
    return await work;
  } finally {
    over.abort();
    await watching;
  }
}

/** Bytes of the files in a folder and below it; files that are removed meanwhile do not count. */
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
