import { describe, expect, it } from "vitest";
import { definedDomains, domainNameAt, domainNames } from "../../../server/language/domains.ts";
import { readSyntax } from "../../../server/language/syntax.ts";

const text = `domains: {a: {files: x}, "b": {files: a}}
seed: {mixture: {a: 1}, from: a}
mix: {experts: [a, seed, 'b']}
finetune: {mixture: {b: 2, c: 1}}
`;

describe("names of domains", () => {
  it("are found where they are defined and used, and nowhere else", () => {
    expect(domainNames(readSyntax(text)).map(({ name, role }) => `${role} ${name}`)).toEqual([
      "definition a",
      "definition b",
      "weight a",
      "expert a",
      "expert b",
      "weight b",
      "weight c",
    ]);
    expect(definedDomains(readSyntax(text))).toEqual(["a", "b"]);
  });

  it("are found at their beginning and at their end", () => {
    const root = readSyntax(text);
    const at = text.indexOf("'b'");
    for (const offset of [at, at + 1, at + 3]) expect(domainNameAt(root, offset)?.name).toBe("b");
    expect(domainNameAt(root, text.indexOf("seed, '") + 1)).toBeUndefined();
  });
});
