import { join } from "node:path";
import { expect, test } from "vitest";
import { domainDocuments, placeOf, splitOf, surveySplit } from "../../../server/data/split.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import { collect, domainOf, folderWith, prose } from "./support.ts";

const lines = (texts: string[]) => texts.map((text) => `${JSON.stringify({ text })}\n`).join("");

async function domainWith(files: Record<string, string>, more = {}) {
  const folder = folderWith(files);
  return domainOf(
    Object.keys(files).map((name) => join(folder, name)),
    more,
  );
}

test("the share held out is near the one asked for, and a document never moves", async () => {
  const texts = Array.from({ length: 2000 }, (_, i) => `document ${i}`);
  const all = await domainWith({ "a.jsonl": lines(texts) });
  const half = await domainWith({ "a.jsonl": lines(texts.slice(900, 1900)) });
  const [split, halfSplit] = [await surveySplit("a", all, 0.1), await surveySplit("a", half, 0.1)];
  const heldOut = texts.filter((text) => splitOf(placeOf(text).place, split) === "heldout");
  expect(heldOut.length / texts.length).toBeCloseTo(0.1, 1);
  expect(split.documents).toBe(2000);
  for (const text of texts.slice(900, 1900)) {
    expect(splitOf(placeOf(text).place, halfSplit)).toBe(splitOf(placeOf(text).place, split));
  }
});

test("one large file is cut at paragraphs or lines into documents of at most 4 KiB, which joined are the file", async () => {
  const text = prose(3, 30_000);
  const domain = await domainWith({ "book.txt": text });
  const split = await surveySplit("book", domain, 0.1);
  expect(split.cut).toBe(true);
  const documents = (await collect(domainDocuments(domain, split.cut))).map((document) => document.text);
  expect(documents.join("")).toBe(text);
  for (const document of documents) expect(document.length).toBeLessThanOrEqual(4096);
  expect(new Set(documents.map((document) => splitOf(placeOf(document).place, split)))).toEqual(
    new Set(["train", "heldout"]),
  );
  expect(split.bytes).toBe(Buffer.byteLength(text));
});

test("fifty documents or more, and problems with answers, are never cut", async () => {
  const long = (i: number) => `${i} ${prose(i, 1500)} #### ${i}`;
  const fifty = await domainWith({ "a.jsonl": lines(Array.from({ length: 50 }, (_, i) => long(i))) });
  expect((await surveySplit("a", fifty, 0.1)).cut).toBe(false);
  const few = await domainWith({ "a.jsonl": lines([1, 2, 3].map(long)) }, { answerAfter: "####" });
  expect(await surveySplit("a", few, 0.1)).toMatchObject({ cut: false, documents: 3 });
});

test("both sides have a document as soon as there are two different ones, and duplicates stay together", async () => {
  for (const heldOut of [0.000001, 0.5, 0.999999]) {
    const texts = ["one", "two", "three", "two", "one", "one"];
    const split = await surveySplit("a", await domainWith({ "a.jsonl": lines(texts) }), heldOut);
    const sides = texts.map((text) => splitOf(placeOf(text).place, split));
    expect(new Set(sides).size).toBe(2);
  }
});

test("a domain of one document, repeated or not, is refused by name", async () => {
  const same = await domainWith({ "a.txt": "same", "b.txt": "same" });
  await expect(surveySplit("tiny", same, 0.1)).rejects.toThrow(UserError);
  await expect(surveySplit("tiny", same, 0.1)).rejects.toThrow('the domain "tiny" has only one document');
});
