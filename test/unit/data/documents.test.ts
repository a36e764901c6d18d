import { spawnSync } from "node:child_process";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { expect, test } from "vitest";
import { fileDocuments } from "../../../server/data/corpus/documents.ts";
import { cutText, textDocuments } from "../../../server/data/corpus/text.ts";
import { hashFiles, readDocuments } from "../../../server/data/files.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import { collect, folderWith, prose } from "./support.ts";

const documents = (name: string, content: string | Uint8Array, text?: string) =>
  collect(readDocuments(join(folderWith({ [name]: content }), name), text));

async function messageOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as Error).message;
}

test("a text or source file is one document, without its byte-order mark, packed or not", async () => {
  expect(await documents("a.txt", "one\ntwo\n")).toEqual(["one\ntwo\n"]);
  expect(await documents("a.ts", "\ufeffconst a = 1;")).toEqual(["const a = 1;"]);
  expect(await documents("a.md.gz", gzipSync("# one"))).toEqual(["# one"]);
});

test("a line of JSON Lines is a document: a field, or a template of fields", async () => {
  const lines = '{"text":"a","n":1}\r\n\n{"text":"b \\u00e9","n":2}';
  expect(await documents("a.jsonl", lines)).toEqual(["a", "b é"]);
  expect(await documents("a.jsonl", lines, "n")).toEqual(["1", "2"]);
  expect(await documents("a.jsonl.gz", gzipSync(lines), "{n}: {text}\n{n}")).toEqual(["1: a\n1", "2: b é\n2"]);
  expect(await documents("a.jsonl", '{"text":"$& {n}","n":"$1"}', "{text}|{n}")).toEqual(["$& {n}|$1"]);
});

test("where a template's last field begins ends the prompt, if there are two fields or more", async () => {
  const record = '{"question":"Why {answer}?","answer":"So.","n":3}';
  const of = (text: string, name = "a.jsonl") =>
    collect(fileDocuments(join(folderWith({ [name]: record }), name), text));
  expect(await of("Q: {question}\n{answer}!")).toEqual([{ text: "Q: Why {answer}?\nSo.!", promptEnd: 17 }]);
  expect(await of("{n}, {question} {n}")).toEqual([{ text: "3, Why {answer}? 3", promptEnd: 17 }]);
  expect(await of("{n}+{n}")).toEqual([{ text: "3+3" }]);
  expect(await of("answer")).toEqual([{ text: "So." }]);
  expect(await of("{question}\n{answer}", "a.txt")).toEqual([{ text: record }]);
});

test("a document cut in pieces says so of each, and of none where its prompt ends", async () => {
  const text = prose(2, 300_000);
  const files = { "a.txt": text, "a.jsonl": JSON.stringify({ question: "q", answer: text }) };
  const folder = folderWith(files);
  for (const name of Object.keys(files)) {
    const pieces = await collect(fileDocuments(join(folder, name), "{question}\n{answer}"));
    expect(pieces.length).toBeGreaterThan(1);
    for (const piece of pieces) expect(piece).toEqual({ text: expect.any(String), piece: true });
  }
});

test("a row of Parquet is a document, over several row groups, packed or not", async () => {
  const rows = Array.from({ length: 25 }, (_, i) => i);
  const bytes = new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: "question", data: rows.map((i) => `${i} + 1?`) },
        { name: "answer", data: rows.map((i) => `${i + 1} é`) },
      ],
      rowGroupSize: 10,
    }),
  );
  const expected = rows.map((i) => `${i} + 1?\n${i + 1} é`);
  expect(await documents("a.parquet", bytes, "{question}\n{answer}")).toEqual(expected);
  expect(await documents("a.parquet.gz", gzipSync(bytes), "{question}\n{answer}")).toEqual(expected);
  expect(await messageOf(documents("a.parquet", bytes, "{qestion}"))).toContain('did you mean "question"?');
  expect(await messageOf(documents("a.parquet", bytes.subarray(0, 200), "answer"))).toContain("is not a Parquet file");
  const broken = Uint8Array.from(bytes);
  broken.fill(0xff, bytes.length - 60, bytes.length - 8);
  expect(await messageOf(documents("a.parquet", broken, "answer"))).toMatch(/a\.parquet/);
});

test("a text file longer than 1 MiB is cut at line ends, and its pieces joined are the file", async () => {
  const text = prose(1, 250_000);
  const pieces = await documents("a.txt", text);
  expect(pieces.length).toBeGreaterThan(1);
  expect(pieces.join("")).toBe(text);
  for (const piece of pieces) expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(1 << 20);
  for (const piece of pieces.slice(0, -1)) expect(piece.endsWith("\n")).toBe(true);
});

test("a single line longer than 1 MiB is cut between characters, wherever the chunks end", async () => {
  const text = `x${"日𝒳é".repeat(300_000)}`;
  const bytes = Buffer.from(text);
  for (const size of [65_537, 1 << 20, 3_000_000]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    const pieces = await collect(textDocuments("a.txt", Readable.from(chunks)));
    expect(pieces.length).toBe(3);
    expect(pieces.join("")).toBe(text);
  }
});

test("a file of exactly 1 MiB is one document", async () => {
  expect(await documents("a.txt", "ab\n".repeat((1 << 20) / 3).padEnd(1 << 20, "x"))).toHaveLength(1);
});

test("a record longer than 1 MiB is cut like a text file", async () => {
  const text = prose(2, 300_000);
  const pieces = await documents("a.jsonl", JSON.stringify({ text }));
  expect(pieces.length).toBeGreaterThan(1);
  expect(pieces.join("")).toBe(text);
});

test("cutText prefers a blank line in the second half, then a line end, then a character's end", () => {
  expect([...cutText("aaaa\n\nbb\ncccc", 9)]).toEqual(["aaaa\n\n", "bb\ncccc"]);
  expect([...cutText("a\n\nbbbbb\ncccc", 9)]).toEqual(["a\n\nbbbbb\n", "cccc"]);
  expect([...cutText("𝒳𝒳𝒳", 3)]).toEqual(["𝒳", "𝒳", "𝒳"]);
  expect([...cutText("", 3)]).toEqual([]);
});

test("empty, binary, UTF-16 and invalid UTF-8 files are refused with file and byte", async () => {
  expect(await messageOf(documents("a.txt", ""))).toMatch(/a\.txt is empty/);
  expect(await messageOf(documents("a.txt.gz", gzipSync("")))).toMatch(/a\.txt\.gz is empty/);
  expect(await messageOf(documents("a.jsonl", "\n\n"))).toMatch(/a\.jsonl contains no text/);
  expect(await messageOf(documents("a.txt", Buffer.from("ab\0c")))).toMatch(/binary file \(NUL at byte 2\)/);
  expect(await messageOf(documents("a.txt", Buffer.from("\ufeffhello", "utf16le")))).toMatch(/UTF-16/);
  const late = Buffer.concat([Buffer.alloc(1_500_000, "line of text\n"), Buffer.from([0x61, 0xe9, 0x62])]);
  expect(await messageOf(documents("a.txt", late))).toMatch(/not valid UTF-8 at byte 1500001/);
  expect(await messageOf(documents("a.txt", Buffer.from([0x61, 0xe6, 0x97])))).toMatch(/not valid UTF-8 at byte 1:/);
  expect(
    await messageOf(documents("a.jsonl", Buffer.concat([Buffer.from('{"text":"a"}\n"'), Buffer.from([0xff])]))),
  ).toMatch(/byte 14/);
});

test.skipIf(process.platform === "win32")("a named pipe or a device in the place of a text is refused", async () => {
  const folder = folderWith({});
  for (const name of ["a.txt", "a.jsonl", "a.txt.gz", "a.parquet", "a.parquet.gz"]) {
    const path = join(folder, name);
    expect(spawnSync("mkfifo", [path]).status).toBe(0);
    expect(await messageOf(collect(readDocuments(path)))).toBe(
      `${path} is a named pipe, but must be a regular file: remove or replace it`,
    );
    await expect(hashFiles([path])).rejects.toThrow("is a named pipe");
  }
  symlinkSync("/dev/zero", join(folder, "zero.txt"));
  expect(await messageOf(collect(readDocuments(join(folder, "zero.txt"))))).toContain("is a device");
});

test("a file that is missing, a folder, or no gzip is refused by name", async () => {
  const folder = folderWith({ "a.txt.gz": "plain", "b.txt.gz": gzipSync(prose(1, 5000)).subarray(0, 2000) });
  expect(await messageOf(collect(readDocuments(join(folder, "none.txt"))))).toContain("none.txt");
  expect(await messageOf(collect(readDocuments(folder)))).toContain("is a folder, but must be a regular file");
  expect(await messageOf(collect(readDocuments(join(folder, "a.txt.gz"))))).toContain("not a gzip file");
  expect(await messageOf(collect(readDocuments(join(folder, "b.txt.gz"))))).toContain("truncated");
  expect(await messageOf(collect(readDocuments(join(folder, "none.parquet"))))).toContain("none.parquet");
});

test("a broken JSON line is refused with its number, and a missing field with the nearest one", async () => {
  expect(await messageOf(documents("a.jsonl", '{"text":"a"}\n{"text":'))).toMatch(
    /line 2 of .*a\.jsonl is not valid JSON/,
  );
  expect(await messageOf(documents("a.jsonl", "[1]"))).toMatch(/line 1 of .* is not a JSON object/);
  const missing = await messageOf(documents("a.jsonl", '{"question":"a"}', "qestion"));
  expect(missing).toMatch(/line 1 of .* has no field "qestion": did you mean "question"\?/);
  expect(await messageOf(documents("a.jsonl", '{"q":null}', "{q}"))).toMatch(/the field "q" is null, not text/);
  expect(await messageOf(documents("a.jsonl", '{"a":1}', "constructor"))).toMatch(/has no field "constructor"/);
  expect(await messageOf(documents("a.jsonl", '{"a":1}', "__proto__"))).toMatch(/has no field "__proto__"/);
  expect(await documents("a.jsonl", '{"__proto__":"p"}', "__proto__")).toEqual(["p"]);
});
