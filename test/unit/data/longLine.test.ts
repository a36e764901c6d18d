import { Readable } from "node:stream";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { jsonlDocuments } from "../../../server/data/corpus/jsonl.ts";
import { textDocuments } from "../../../server/data/corpus/text.ts";
import { UserError } from "../../../server/protocol/errors.ts";

const MIB = 1 << 20;

/** A stream of `mebibytes` MiB without a line end, made as it is read. */
function longLine(mebibytes: number): Readable {
  const chunk = Buffer.alloc(MIB, "lorem ipsum ");
  return Readable.from(
    (function* () {
      for (let i = 0; i < mebibytes; i++) yield chunk;
    })(),
  );
}

test("a single line of 200 MiB is read as text in pieces, in memory that does not grow with it", async () => {
  let bytes = 0;
  let most = 0;
  const before = memory();
  for await (const piece of textDocuments("long.txt", longLine(200))) {
    bytes += piece.length;
    most = Math.max(most, memory() - before);
  }
  expect(bytes).toBe(200 * MIB);
  expect(most).toBeLessThan(100 * MIB);
});

test("a JSON line of 200 MiB is refused by number before it fills the memory", async () => {
  const read = async () => {
    for await (const _ of jsonlDocuments("long.jsonl", longLine(200))) throw new Error("no line should come");
  };
  await expect(read()).rejects.toThrow(
    new UserError("line 1 of long.jsonl is longer than 64 MiB: is it JSON Lines, with one object per line?"),
  );
});

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes in use; what nobody holds any more does not count, whenever it would have been collected. */
function memory(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
