import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { firstDifference, firstTokenizerDifference } from "../../../server/checkpoint/differences.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { denseConfig, moeConfig } from "./files.ts";

describe("firstDifference", () => {
  it("names the first key, in the order of the configuration, and both values", () => {
    expect(firstDifference(denseConfig, { ...denseConfig })).toBeUndefined();
    expect(firstDifference(moeConfig, structuredClone(moeConfig))).toBeUndefined();
    expect(firstDifference(denseConfig, { ...denseConfig, tiedEmbeddings: true, hidden: 16 })).toEqual({
      key: "hidden",
      a: 8,
      b: 16,
    });
    const other = { ...moeConfig, moe: { ...moeConfig.moe!, experts: ["code", "prose", "seed"] } };
    expect(firstDifference(moeConfig, other)).toEqual({ key: "moe.experts.1", a: "math", b: "prose" });
    expect(firstDifference(denseConfig, moeConfig)).toMatchObject({ key: "moe", a: undefined });
  });
});

describe("firstTokenizerDifference", () => {
  it("compares what tokenizers say, not how it is written", async () => {
    const folder = (tokenizer: string): string => {
      const made = temporaryFolder();
      writeFileSync(join(made, "tokenizer.json"), tokenizer);
      return made;
    };
    const a = folder('{"version":"1.0","model":{"vocab":{"a":0,"__proto__":1},"merges":["a b"]}}');
    const same = folder('{ "model": {"merges":["a b"],"vocab":{"__proto__":1,"a":0}}, "version":"1.0" }');
    const other = folder('{"version":"1.0","model":{"vocab":{"a":0,"__proto__":2},"merges":["a b"]}}');
    expect(await firstTokenizerDifference(a, same)).toBeUndefined();
    expect(await firstTokenizerDifference(a, other)).toEqual({ key: "model.vocab.__proto__", a: 1, b: 2 });
    await expect(firstTokenizerDifference(a, temporaryFolder())).rejects.toThrow(/cannot read .+tokenizer.json/);
  });
});
