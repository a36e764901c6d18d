import { stat } from "node:fs/promises";

/** Rereads many files, each only when it has changed. */

/** Larger files are read one after the other, because each needs several times its size in memory, bytes. */
const large = 8 << 20;

export class ChangedFiles {
  readonly #known = new Map<string, { look: string; value: unknown }>();
  readonly #most: number;
  /** The last of the large files. */
  #last: Promise<unknown> = Promise.resolve();

  /** @param most files to remember; beyond that the cache is cleared. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The content of a file, reread only after it changes; undefined if it does not exist. */
  async read<T>(path: string, read: () => Promise<T>): Promise<T | undefined> {
    const found = await stat(path).catch(() => undefined);
    if (!found) {
      this.#known.delete(path);
      return undefined;
    }
    const look = `${found.mtimeMs} ${found.size} ${found.ino}`;
    const known = this.#known.get(path);
    if (known?.look === look) return known.value as T;
    const value = found.size > large ? await this.#inTurn(read) : await read();
    if (this.#known.size >= this.#most) this.#known.clear();
    this.#known.set(path, { look, value });
    return value;
  }

  #inTurn<T>(read: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(read);
    this.#last = turn.catch(() => {});
    return turn;
  }
}

/** Runs `work` on every item, at most `most` at a time; results are in the order of the items. */
export async function inParallel<T, R>(items: readonly T[], most: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index]!);
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  return results;
}
