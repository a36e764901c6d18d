import { describe, expect, it } from "vitest";
import { type Entry, entriesOf, entryAt, innermostEntry, readSyntax } from "../../../server/language/syntax.ts";

/** Each entry as "path: the text it spans". */
const outline = (text: string): string[] =>
  [...entriesOf(readSyntax(text))]
    .slice(1)
    .map(({ path, span }) => `${path.join(".")}: ${text.slice(span.start, span.end)}`);

const value = (entry: Entry | undefined) => entry?.value;

describe("the tree of a text", () => {
  it("has every key and item with the stretch it takes, without the white space and comments behind", () => {
    const text = "a:\n  b: 1 # one\n  c: [x, {y: 2}]\n\n# end\nd:\n- e\n- f: 3\n  g:\n";
    expect(outline(text)).toEqual([
      "a: a:\n  b: 1 # one\n  c: [x, {y: 2}]",
      "a.b: b: 1",
      "a.c: c: [x, {y: 2}]",
      "a.c.0: x",
      "a.c.1: {y: 2}",
      "a.c.1.y: y: 2",
      "d: d:\n- e\n- f: 3\n  g",
      "d.0: e",
      "d.1: f: 3\n  g",
      "d.1.f: f: 3",
      "d.1.g: g",
    ]);
  });

  it("tells quotes from what is between them", () => {
    const text = "\"a\": 'it''s'\nb: plain\n";
    const [a, b] = readSyntax(text).children;
    expect(a).toMatchObject({ key: { text: "a", quote: '"', inner: { start: 1, end: 2 } } });
    expect(value(a)).toMatchObject({ text: "it's", quote: "'", inner: { start: 6, end: 11 } });
    expect(value(b)).toMatchObject({ text: "plain", data: "plain", inner: { start: 16, end: 21 } });
    expect(value(b)).not.toHaveProperty("quote");
  });

  it("has what stands around a mistake", () => {
    expect(
      outline("model:\n  layers: 4\n  hid\nmix: {router: {k: 2}\nseed: 1\n").map((line) => line.split(":")[0]),
    ).toEqual(["model", "model.layers", "model.hid", "mix", "mix.router", "mix.router.k", "seed"]);
  });

  it("keeps keys that are given twice, and leaves out those that are no names", () => {
    expect(outline("a: 1\na: 2\n? [x]\n: 3\nnull: 4\n")).toEqual(["a: a: 1", "a: a: 2"]);
  });

  it("counts from the byte order mark on", () => {
    expect(readSyntax("\uFEFFab: 1").children[0]!.key).toMatchObject({ start: 1, end: 3 });
  });

  it("is empty for what is too large or too deep", () => {
    expect(readSyntax(`# ${"x".repeat(70_000)}\na: 1`).children).toEqual([]);
    expect(() => readSyntax("[".repeat(20_000))).not.toThrow();
  });

  it("finds entries by path and by offset", () => {
    const text = "a: {b: [x, y]}\n";
    const root = readSyntax(text);
    expect(entryAt(root, ["a", "b", 1])?.span).toEqual({ start: 11, end: 12 });
    expect(entryAt(root, ["a", "c"])).toBeUndefined();
    expect(innermostEntry(root, 11).path).toEqual(["a", "b", 1]);
    expect(innermostEntry(root, 4).path).toEqual(["a", "b"]);
    expect(innermostEntry(root, 15).path).toEqual([]);
  });
});
