import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tokenDigestsPath } from "../../../server/data/tokenDigests.ts";
import { TokenFile } from "../../../server/data/tokenFile.ts";
import { TokenWriter } from "../../../server/data/write.ts";
import { DamagedError } from "../../../server/disk/damaged.ts";
import { folderWith, seeded } from "./support.ts";

const vocab = 60_000;
const blockTokens = 32 << 10;

/** A token file of `length` ids. */
function written(length: number, dtype: "u16" | "u32" = "u16") {
  const path = join(folderWith(), "train.tokens");
  const random = seeded(length);
  const ids = Int32Array.from({ length }, () => Math.floor(random() * vocab));
  const writer = new TokenWriter(path, dtype);
  // In pieces that end within blocks.
  for (let at = 0; at < length; at += 10_007) writer.write(ids.subarray(at, at + 10_007));
  writer.commit();
  const open = (below = vocab) => new TokenFile(path, { length, dtype, endOfText: 0, vocab: below });
  return { path, ids, open };
}

function flip(path: string, byte: number, bit: number): void {
  const bytes = readFileSync(path);
  bytes[byte]! ^= 1 << bit;
  writeFileSync(path, bytes);
}

/** A use of an opened file that is damaged. */
function failure(open: () => TokenFile, use: (file: TokenFile) => void = () => {}): DamagedError {
  try {
    const file = open();
    try {
      use(file);
    } finally {
      file.close();
    }
  } catch (error) {
    expect(error).toBeInstanceOf(DamagedError);
    return error as DamagedError;
  }
  return expect.fail("damage was not noticed");
}

describe("TokenFile", () => {
  test.each([0, 1, blockTokens, 2 * blockTokens + 5])("reads back %i ids, in any order and twice", (length) => {
    for (const dtype of ["u16", "u32"] as const) {
      const { ids, open } = written(length, dtype);
      const file = open();
      expect(file.hasDigests).toBe(true);
      for (const start of [length >> 1, 0, length >> 1]) {
        const count = Math.min(1000, length - start);
        expect(file.read(start, count)).toEqual(ids.subarray(start, start + count));
      }
      expect(file.read(0, length)).toEqual(ids);
      file.close();
    }
  });

  test("notices a flipped bit in the block that it reads from, and still reads the other blocks", () => {
    const { path, ids, open } = written(2 * blockTokens + 5);
    flip(path, 2 * blockTokens + 7, 2);
    const { message } = failure(open, (file) => {
      expect(file.read(0, blockTokens)).toEqual(ids.subarray(0, blockTokens));
      file.read(blockTokens - 1, 2);
    });
    expect(message).toContain(`${path} is damaged (bytes 65536 and the following have changed`);
  });

  test("notices a flipped bit in its digests, and digests of another file", () => {
    const { path, open } = written(blockTokens + 1);
    const side = tokenDigestsPath(path);
    const good = readFileSync(side);
    for (let byte = 0; byte < good.length; byte++) {
      flip(side, byte, byte % 8);
      expect(failure(open).path).toBe(side);
      writeFileSync(side, good);
    }
    writeFileSync(side, readFileSync(tokenDigestsPath(written(5).path)));
    expect(failure(open).path).toBe(side);
  });

  test("refuses an id beyond the vocabulary, whoever wrote it", () => {
    const { path, ids, open } = written(100);
    const most = Math.max(...ids);
    const { message } = failure(
      () => open(most),
      (file) => file.read(0, 100),
    );
    expect(message).toContain(`${path} is damaged (it contains token ${most}, but the vocabulary has ${most} tokens)`);
  });

  test("is read unchecked where an older version wrote no digests", () => {
    const { path, ids, open } = written(100);
    rmSync(tokenDigestsPath(path));
    const file = open();
    expect(file.hasDigests).toBe(false);
    expect(file.read(0, 100)).toEqual(ids);
    file.close();
  });

  test("is damaged when it is missing or has another size than its index says", () => {
    const { path, open } = written(100);
    writeFileSync(path, readFileSync(path).subarray(0, -2));
    expect(failure(open).message).toContain("it has 198 bytes, but its index says 200");
    rmSync(path);
    expect(failure(open).message).toContain(`${path} is damaged (it is missing)`);
  });
});
