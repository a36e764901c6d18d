import { describe, expect, it } from "vitest";
import { definition, prepareRename, references, rename } from "../../../../server/language/features/names.ts";
import { cursor, edited, textIn } from "../support.ts";

const text = `# about code
domains:
  code: {files: code/*.py}   # code
  "prose": {files: prose}
mix: {experts: [code, 'prose', seed]}
finetune: {mixture: {"code": 2, prose: 1}}
`;
/** The text with the cursor in the nth place that has these words. */
function cursorIn(words: string, nth = 0) {
  let at = -1;
  for (let i = 0; i <= nth; i++) at = text.indexOf(words, at + 1);
  return cursor(`${text.slice(0, at + 1)}|${text.slice(at + 1)}`);
}

describe("a domain", () => {
  it("is defined where it stands under `domains`", () => {
    const { snapshot, position } = cursorIn("code, 'prose'");
    const [link, ...rest] = definition(snapshot, position);
    expect(rest).toEqual([]);
    expect(textIn(snapshot, link!.targetRange)).toBe("code: {files: code/*.py}");
    expect(textIn(snapshot, link!.targetSelectionRange)).toBe("code");
    expect(link!.targetSelectionRange.start.line).toBe(2);
  });

  it("is referred to from experts and mixtures", () => {
    const { snapshot, position } = cursorIn("code: {files");
    expect(references(snapshot, position, false).map(({ range }) => range.start.line)).toEqual([4, 5]);
    expect(references(snapshot, position, true).map(({ range }) => range.start.line)).toEqual([2, 4, 5]);
    expect(references(snapshot, cursorIn("seed]").position, true)).toEqual([]);
  });

  it("is renamed everywhere, and comments, quotes and paths stay", () => {
    const { snapshot, position } = cursorIn("code, 'prose'");
    const { changes } = rename(snapshot, position, "python");
    expect(edited(snapshot, changes![snapshot.uri]!)).toBe(
      text.replace("  code:", "  python:").replace("[code,", "[python,").replace('{"code"', '{"python"'),
    );
  });

  it("is renamed where its expert is frozen, in parts too", () => {
    const frozen = `domains: {co|de: {files: a}, prose: {files: b}}
finetune: {freeze: [norms, expert:code, "expert:code.2", expert:prose]}
`;
    const { snapshot, position } = cursor(frozen);
    const after = edited(snapshot, rename(snapshot, position, "true").changes![snapshot.uri]!);
    expect(after).toContain('freeze: [norms, expert:true, "expert:true.2", expert:prose]');
    const but = cursor("domains: {co|de: {files: a}}\nfinetune: {freeze: {all-but: [expert:code]}}\n");
    const other = edited(but.snapshot, rename(but.snapshot, but.position, "x").changes![but.snapshot.uri]!);
    expect(other).toContain("{all-but: [expert:x]}");
  });

  it("keeps its meaning under a name that YAML takes for something else", () => {
    const { snapshot, position } = cursorIn("prose: 1");
    const after = edited(snapshot, rename(snapshot, position, "true").changes![snapshot.uri]!);
    expect(after).toContain('"true": {files: prose}');
    expect(after).toContain("'true', seed]");
    expect(after).toContain('"true": 1');
  });

  it("is found to be renamed by its name without quotes", () => {
    const { snapshot, position } = cursorIn("'prose'");
    const { range, placeholder } = prepareRename(snapshot, position);
    expect([textIn(snapshot, range), placeholder]).toEqual(["prose", "prose"]);
  });

  it.each([
    ["1a", /starting with a letter/],
    ["a b", /starting with a letter/],
    ["", /starting with a letter/],
    ["x".repeat(65), /at most 64/],
    ["seed", /reserved/],
    ["prose", /already/],
  ])("is not renamed to %j", (name, message) => {
    const { snapshot, position } = cursorIn("code: {files");
    expect(() => rename(snapshot, position, name)).toThrow(message);
  });

  it("is the only thing that can be renamed", () => {
    for (const words of ["files: code", "seed]", "mixture"]) {
      const { snapshot, position } = cursorIn(words);
      expect(() => prepareRename(snapshot, position), words).toThrow(/only domains can be renamed/);
    }
  });
});
