import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { byteLengths, type HeldOutBatch, heldOutWindows, targetBytes } from "../../../server/data/heldOut.ts";
import { TokenFile } from "../../../server/data/tokenFile.ts";
import { byteLevelFiles } from "../../../server/data/tokenizers/build.ts";
import { tokenizerOf } from "../../../server/data/tokenizers/load.ts";
import { folderWith } from "./support.ts";

function counting(length: number): TokenFile {
  const path = join(folderWith(), "heldout.tokens");
  writeFileSync(
    path,
    Uint32Array.from({ length }, (_, i) => i),
  );
  return new TokenFile(path, { length, dtype: "u32", endOfText: 99_999, vocab: 100_000 });
}

/** Targets of weight 1, each checked to follow its input. */
function targets({ tokens, weights }: HeldOutBatch, context: number): number[] {
  const found: number[] = [];
  for (const [i, weight] of weights.entries()) {
    const at = i + Math.floor(i / context);
    if (weight === 1) {
      expect(tokens[at + 1]).toBe(tokens[at]! + 1);
      found.push(tokens[at + 1]!);
    } else {
      expect(weight).toBe(0);
      expect(tokens[at + 1]).toBe(99_999);
    }
  }
  return found;
}

test.each([1, 2, 8, 9, 17, 24, 25, 100])("of %i tokens every one but the first is a target once", (length) => {
  const batches = [...heldOutWindows(counting(length), { context: 8, batch: 3, maxTokens: 1000 })];
  for (const batch of batches) {
    expect(batch.tokens.length).toBe(3 * 9);
    expect(batch.weights.length).toBe(3 * 8);
  }
  expect(batches.flatMap((batch) => targets(batch, 8))).toEqual(Array.from({ length: length - 1 }, (_, i) => i + 1));
});

test("a limit takes whole windows at even distances, never a target twice, never more than asked", () => {
  const taken = (maxTokens: number) =>
    [...heldOutWindows(counting(1001), { context: 10, batch: 4, maxTokens })].flatMap((batch) => targets(batch, 10));
  expect(taken(45).length).toBe(40);
  expect(taken(45).filter((_, i) => i % 10 === 0)).toEqual([1, 251, 501, 751]);
  expect(taken(7)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(new Set(taken(777)).size).toBe(770);
  expect(taken(1000).length).toBe(1000);
});

test("the bytes of a batch are those of its targets, end-of-text and padding having none", () => {
  const tokenizer = tokenizerOf(byteLevelFiles([["a", "b"]]), "tokenizer.json");
  const ids = Array.from(tokenizer.encode("xab ab!"));
  const path = join(folderWith(), "heldout.tokens");
  const all = [...ids, tokenizer.endOfText];
  writeFileSync(path, Uint16Array.from(all));
  const file = new TokenFile(path, {
    length: all.length,
    dtype: "u16",
    endOfText: tokenizer.endOfText,
    vocab: tokenizer.vocab,
  });
  const lengths = byteLengths(tokenizer);
  expect(lengths.length).toBe(258);
  const bytes = [...heldOutWindows(file, { context: 4, batch: 1 })].map((batch) => targetBytes(batch, lengths));
  expect(bytes).toEqual([6, 0]);
});
