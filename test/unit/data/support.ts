import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { hashFiles } from "../../../server/data/files.ts";
import type { DomainSpec } from "../../../server/protocol/stage.ts";

/** A folder with the given files that is gone after the test. */
export function folderWith(files: Record<string, string | Uint8Array> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "btx-data-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  return folder;
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export async function domainOf(files: string[], more: Partial<DomainSpec> = {}): Promise<DomainSpec> {
  return { files, sha256: await hashFiles(files), ...more };
}

/** Numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Sentences of made-up words, the same for the same seed. */
export function prose(seed: number, words: number): string {
  const random = seeded(seed);
  const syllables = ["ba", "ri", "ton", "el", "um", "shi", "ker", "ö", "日", "n't"];
  let text = "";
  for (let i = 0; i < words; i++) {
    const length = 1 + Math.floor(random() * 3);
    for (let k = 0; k < length; k++) text += syllables[Math.floor(random() * syllables.length)];
    text += random() < 0.1 ? ".\n" : random() < 0.02 ? "\n\n" : " ";
  }
  return text;
}
