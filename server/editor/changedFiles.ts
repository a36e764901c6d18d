import { stat } from "node:fs/promises";

/** Reading many files again and again, each only when it has changed. */

export class ChangedFiles {
  readonly #known = new Map<string, { look: string; value: unknown }>();
  readonly #most: number;

  /** @param most files that are remembered; then all are forgotten. */
  constructor(most: number) {
    this.#most = most;
  }

  /** What a file gives, as it was read when it last changed; undefined where there is no file. */
  async read<T>(path: string, read: () => Promise<T>): Promise<T | undefined> {
    const found = await stat(path).catch(() => undefined);
    if (!found) {
      this.#known.delete(path);
      return undefined;
    }
    const look = `${found.mtimeMs} ${found.size} ${found.ino}`;
    const known = this.#known.get(path);
    if (known?.look === look) return known.value as T;
    const value = await read();
    if (this.#known.size >= this.#most) this.#known.clear();
    this.#known.set(path, { look, value });
    return value;
  }
}

/** `work` on every item, so many at a time; results in the order of the items. */
export async function inParallel<T, R>(items: readonly T[], most: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index]!);
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  return results;
}
