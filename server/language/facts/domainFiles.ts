import { dirname } from "node:path";
import { askSoon } from "../lookups/askSoon.ts";
import type { Ask, FilesSeen } from "../lookups/questions.ts";

/** How long an answer is cached, ms: folders change, but reading large ones takes time. */
const goodFor = 10_000;
const maxKept = 200;
/** How long counting may take, ms: someone waits for it. */
const longest = 5000;

/** Counts the files of domains; caches answers briefly. */
export class DomainFiles {
  readonly #ask: Ask;
  readonly #answers = new Map<string, { at: number; answer: Promise<FilesSeen> }>();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** @param file the experiment file; its folder is where patterns begin. */
  look(file: string, patterns: string[]): Promise<FilesSeen> {
    const key = JSON.stringify([dirname(file), ...patterns]);
    const known = this.#answers.get(key);
    if (known && Date.now() - known.at < goodFor) return known.answer;
    if (this.#answers.size >= maxKept) this.#answers.clear();
    const answer = this.#look(file, patterns);
    this.#answers.set(key, { at: Date.now(), answer });
    return answer;
  }

  /** Cached answers are out of date. */
  forget(): void {
    this.#answers.clear();
  }

  async #look(file: string, patterns: string[]): Promise<FilesSeen> {
    const asked = { folder: dirname(file), patterns };
    const found = await askSoon(this.#ask, "files", asked, { owner: file, ms: longest });
    return found ?? { problem: `Counting these files takes longer than ${longest / 1000} seconds.` };
  }
}
