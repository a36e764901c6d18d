import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { expandFiles } from "../../data/files.ts";
import { UserError } from "../../protocol/errors.ts";

/** The files that a domain's patterns match, or one sentence on why none match. */
export type FilesSeen = { count: number; bytes: number } | { problem: string };

/** How long an answer is cached, ms: folders change, but reading large ones takes time. */
const goodFor = 10_000;
const maxKept = 200;

/** Counts the files of domains; caches answers briefly. */
export class DomainFiles {
  readonly #answers = new Map<string, { at: number; answer: Promise<FilesSeen> }>();

  /** @param file the experiment file; its folder is where patterns begin. */
  look(file: string, patterns: string[]): Promise<FilesSeen> {
    const key = JSON.stringify([dirname(file), ...patterns]);
    const known = this.#answers.get(key);
    if (known && performance.now() - known.at < goodFor) return known.answer;
    if (this.#answers.size >= maxKept) this.#answers.clear();
    const answer = look(patterns, dirname(file));
    this.#answers.set(key, { at: performance.now(), answer });
    return answer;
  }
}

async function look(patterns: string[], folder: string): Promise<FilesSeen> {
  try {
    const files = await expandFiles(patterns, folder);
    let bytes = 0;
    for (const file of files)
      bytes += await stat(file).then(
        ({ size }) => size,
        () => 0,
      );
    return { count: files.length, bytes };
  } catch (error) {
    if (error instanceof UserError) return { problem: error.message };
    throw error;
  }
}
