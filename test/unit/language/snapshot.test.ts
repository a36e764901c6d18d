import { describe, expect, it } from "vitest";
import { Snapshot } from "../../../server/language/snapshot.ts";
import { opened, textIn } from "./support.ts";

describe("a snapshot", () => {
  it("reads a text once", () => {
    const snapshot = opened("domains: {a: {files: x}}\n");
    expect(snapshot.parsed).toBe(snapshot.parsed);
    expect(snapshot.syntax).toBe(snapshot.syntax);
    expect(snapshot.parsed.experiment?.domains.size).toBe(1);
  });

  it.each([
    ["lines that end with a line feed", "domains: {a: {files: x}}\nexprts: 1\n"],
    ["lines that end with carriage return and line feed", "domains: {a: {files: x}}\r\nexprts: 1\r\n"],
    ["a byte order mark", "\uFEFFexprts: 1\ndomains: {a: {files: x}}\n"],
    [
      "characters of two units before",
      'name: "🙂"\nmodel: {hidden: 64}\ndomains: {"🙂": {files: x}, a: {files: y}}\nexprts: 1',
    ],
  ])("finds where a problem stands, with %s", (_, text) => {
    const snapshot = opened(text);
    const problem = snapshot.parsed.problems.find(({ message }) => message.includes("exprts"))!;
    expect(textIn(snapshot, snapshot.range(snapshot.spanOf(problem)))).toBe("exprts");
  });

  it("leaves the white space behind a value out of a problem", () => {
    const snapshot = opened("domains: {a: {files: x}}\nmodel:\n  - 1\n\n\n");
    expect(snapshot.text.slice(...Object.values(snapshot.spanOf(snapshot.parsed.problems[0]!)))).toBe("- 1");
  });

  it("has a path only where the file is on a disk", () => {
    expect(opened("", "/a/b.btx.yaml").file).toBe("/a/b.btx.yaml");
    expect(new Snapshot("untitled:Untitled-1", 1, "").file).toBeUndefined();
    expect(new Snapshot("vscode-vfs://github/a/b.btx.yaml", 1, "").file).toBeUndefined();
    expect(new Snapshot("no uri at all", 1, "").file).toBeUndefined();
  });
});
