import { readFileSync } from "node:fs";
import { join } from "node:path";
import { globSync } from "tinyglobby";
import { BPE, byteLevelPreTokenizer, Tokenizer } from "tokenizers";
import { expect, test } from "vitest";
import { trainBpe } from "../../../../server/data/tokenizers/trainBpe.ts";
import { WordCounts } from "../../../../server/data/tokenizers/wordCounts.ts";
import { folderWith, seeded } from "../support.ts";

const installed = (pattern: string) => globSync(pattern, { absolute: true, expandDirectories: false }).sort();

/** Merges of the native package's trainer, which goes up to a vocabulary of 30,000. */
function nativeMerges(files: string[]): string[][] {
  const tokenizer = new Tokenizer(BPE.empty());
  tokenizer.setPreTokenizer(byteLevelPreTokenizer(false));
  tokenizer.train(files);
  const saved = join(folderWith(), "native.json");
  tokenizer.save(saved);
  return JSON.parse(readFileSync(saved, "utf8")).model.merges;
}

const listed = (merges: string[][]): string => merges.map((merge) => merge.join(" ")).join("\n");

function counted(files: string[]): ReadonlyMap<string, number> {
  const words = new WordCounts();
  for (const file of files) words.add(readFileSync(file, "utf8"));
  return words.counts;
}

test.each([
  ["README pages", "node_modules/*/README.md"],
  ["TypeScript declarations", "node_modules/{zod/v4/core,hyparquet/types}/*.d.ts"],
])("on %s every merge is the native trainer's", async (_, pattern) => {
  const files = installed(pattern);
  expect(files.length).toBeGreaterThan(10);
  const native = nativeMerges(files);
  expect(native.length).toBeGreaterThan(3000);
  const ours = await trainBpe(counted(files), native.length + 1);
  expect(listed(ours.slice(0, native.length))).toBe(listed(native));
});

test("on runs of few characters, where pairs overlap, every merge is the native trainer's", async () => {
  const random = seeded(7);
  let text = "";
  for (let word = 0; word < 600; word++) {
    const length = 1 + Math.floor(random() ** 3 * 120);
    for (let i = 0; i < length; i++) text += "ab-"[Math.floor(random() * (word % 2 ? 3 : 1.3))];
    text += random() < 0.3 ? "\n" : " ";
  }
  text += "\u0085x\ufeffy  \u00a0z\r\n\t\n  é日本 don't 12x";
  const file = join(folderWith({ "runs.txt": text }), "runs.txt");
  const native = nativeMerges([file]);
  expect(listed(await trainBpe(counted([file]), 30_000))).toBe(listed(native));
});

test("training stops at the merges asked for, or when every word is one symbol, and pauses on its way", async () => {
  const counts = new Map([
    ["abab", 5],
    ["cab", 3],
  ]);
  expect(await trainBpe(counts, 2)).toEqual([
    ["a", "b"],
    ["ab", "ab"],
  ]);
  expect(await trainBpe(counts, 100)).toEqual([
    ["a", "b"],
    ["ab", "ab"],
    ["c", "ab"],
  ]);
  let pauses = 0;
  const random = seeded(3);
  const words = Array.from({ length: 400 }, () => random().toString(36).slice(2));
  await trainBpe(new Map(words.map((word) => [word, 1])), 600, async () => {
    pauses++;
  });
  expect(pauses).toBe(2);
});

test("words named like members of an object are counted like any other", () => {
  const words = new WordCounts();
  words.add("constructor constructor toString\n__proto__");
  expect([...words.counts].sort()).toEqual([
    ["\n", 1],
    [" constructor", 1],
    [" toString", 1],
    ["__", 2],
    ["constructor", 1],
    ["proto", 1],
  ]);
});
