import { describe, expect, it } from "vitest";
import { Digest, digestOf } from "../../../server/disk/digest.ts";

describe("digestOf", () => {
  it("is xxHash64 with seed 0, 16 digits", () => {
    // The test vectors of https://github.com/Cyan4973/xxHash and of its command, `xxhsum -H64`.
    expect(digestOf(new Uint8Array())).toBe("ef46db3751d8e999");
    expect(digestOf(Buffer.from("a"))).toBe("d24ec4f1a98c6e5b");
    expect(digestOf(Buffer.from("abc"))).toBe("44bc2cf5ad770999");
    expect(digestOf(Buffer.from("Call me Ishmael. Some years ago--never mind how long precisely-"))).toBe(
      "02a2e85470d6fd96",
    );
  });
});

describe("Digest", () => {
  it("is the same however the bytes are cut, and can be read on the way", () => {
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7919) >> 3));
    const digest = new Digest();
    for (let at = 0, piece = 1; at < bytes.length; at += piece, piece = (piece * 3) % 1_500_000) {
      expect(digest.value).toBe(digestOf(bytes.subarray(0, at)));
      digest.update(bytes.subarray(at, at + piece));
    }
    expect(digest.value).toBe(digestOf(bytes));
    expect(digest.bytes).toBe(bytes.length);
  });
});
