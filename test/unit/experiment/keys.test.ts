import { describe, expect, it } from "vitest";
import { canonicalJson, stageKey, stageRandomSeed } from "../../../server/experiment/keys.ts";
import type { DataSpec } from "../../../server/protocol/stage.ts";

const spec: DataSpec = {
  kind: "data",
  tokenizer: { type: "file", path: "/a/tokenizer.json", sha256: "11" },
  domains: { code: { files: ["/a/x"], sha256: "22" } },
  heldOut: 0.1,
};

describe("canonicalJson", () => {
  it("sorts keys at every depth, keeps the order of lists and leaves undefined out", () => {
    expect(canonicalJson({ b: [{ d: 1, c: "é" }, null], a: undefined, A: true })).toBe(
      '{"A":true,"b":[{"c":"é","d":1},null]}',
    );
  });
});

describe("stageKey", () => {
  it("is 16 hex digits that do not change between versions of the program", () => {
    expect(stageKey({ kind: "average", experts: ["a"] }, { "expert:a": "00" })).toBe("620e1c3207b6638b");
  });

  it("depends on hashes of files, not on where they lie", () => {
    const moved: DataSpec = {
      ...spec,
      tokenizer: { type: "file", path: "/b/t.json", sha256: "11" },
      domains: { code: { files: ["/b/y", "/b/z"], sha256: "22" } },
    };
    expect(stageKey(moved, {})).toBe(stageKey(spec, {}));
    expect(stageKey({ ...spec, domains: { code: { files: ["/a/x"], sha256: "23" } } }, {})).not.toBe(
      stageKey(spec, {}),
    );
    const tokenizer = { type: "file", path: "/a/tokenizer.json", sha256: "12" } as const;
    expect(stageKey({ ...spec, tokenizer }, {})).not.toBe(stageKey(spec, {}));
  });

  it("keeps domains that are called like the places it leaves out", () => {
    const named = (name: string) => stageKey({ ...spec, domains: { [name]: { files: ["/a/x"], sha256: "22" } } }, {});
    expect(new Set([named("files"), named("path"), named("code")]).size).toBe(3);
  });

  it("depends on the role in which a parent is taken", () => {
    const average = { kind: "average", experts: ["a", "b"] } as const;
    const key = (a: string, b: string) =>
      stageKey({ ...average, experts: ["a", "b"] }, { "expert:a": a, "expert:b": b });
    expect(key("00", "11")).not.toBe(key("11", "00"));
  });
});

describe("stageRandomSeed", () => {
  it("differs between stages and between experiments, and fits in 31 bits", () => {
    const seeds = ["seed", "expert:a", "expert:b"].flatMap((name) => [1, 2].map((root) => stageRandomSeed(root, name)));
    expect(new Set(seeds).size).toBe(6);
    for (const seed of seeds) expect(seed >= 0 && seed < 2 ** 31 && Number.isInteger(seed)).toBe(true);
  });
});
