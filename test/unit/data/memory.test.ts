import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openData } from "../../../server/data/dataset.ts";
import { prepareData } from "../../../server/data/prepare.ts";
import { domainOf, folderWith } from "./support.ts";

test("a corpus of 30 MB is prepared in memory that does not hold it", async () => {
  const file = join(folderWith(), "large.txt");
  writeFileSync(file, "");
  const lines = Array.from(
    { length: 25_000 },
    (_, i) => `${"long".repeat(3 + (i % 7))} ${"word".repeat(3 + (i % 5))}\n`,
  );
  const megabyte = lines.join("");
  let written = 0;
  for (let i = 0; written < 30e6; i++) {
    const part = `${i}\n${megabyte}`;
    appendFileSync(file, part);
    written += Buffer.byteLength(part);
  }
  const folder = folderWith();
  const before = memory();
  let most = 0;
  let looks = 0;
  const index = await prepareData(
    { kind: "data", tokenizer: { type: "bytes" }, domains: { large: await domainOf([file]) }, heldOut: 0.1 },
    folder,
    {
      onProgress: () => {
        if (++looks % 50 === 0) most = Math.max(most, memory() - before);
      },
    },
  );
  const { train, heldout } = index.domains.large!;
  expect(train.bytes + heldout.bytes).toBe(written);
  expect(train.tokens + heldout.tokens).toBe(written + train.documents + heldout.documents);
  expect(most).toBeLessThan(150e6);
  const data = await openData(folder);
  const file0 = data.split("large", "train");
  expect(file0.read(file0.length - 1, 1)[0]).toBe(256);
  data.close();
});

function memory(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
