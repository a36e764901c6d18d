import { describe, expect, it } from "vitest";
import { SymbolKind } from "vscode-languageserver";
import { foldingRanges } from "../../../../server/language/features/folding.ts";
import { semanticTokens, semanticTokensLegend } from "../../../../server/language/features/semanticTokens.ts";
import { documentSymbols } from "../../../../server/language/features/symbols.ts";
import { opened, textIn } from "../support.ts";

const text = `# One experiment
# in a few lines
domains:
  code:   # sources
    files:
      - a.py
      - "b/*.py"

seed: {tokens: 500k, from: 3}
mix: {experts: [code,
  seed], router: {type: top-k}}
other: 5k
`;

describe("the outline", () => {
  it("has keys with their values, below each other as in the file", () => {
    const symbols = documentSymbols(opened(text));
    expect(symbols.map(({ name, kind }) => [name, kind])).toEqual([
      ["domains", SymbolKind.Module],
      ["seed", SymbolKind.Module],
      ["mix", SymbolKind.Module],
      ["other", SymbolKind.Property],
    ]);
    const [code] = symbols[0]!.children!;
    expect(code).toMatchObject({ name: "code", kind: SymbolKind.Class });
    expect(code!.children![0]!.children!.map(({ name }) => name)).toEqual(["a.py", "b/*.py"]);
    expect(symbols[1]!.children![0]).toMatchObject({ name: "tokens", detail: "500k" });
  });

  it("selects names, inside what they stand for", () => {
    const snapshot = opened(text);
    const [domains] = documentSymbols(snapshot);
    expect(textIn(snapshot, domains!.selectionRange)).toBe("domains");
    expect(textIn(snapshot, domains!.range)).toMatch(/^domains:.*py"$/s);
  });
});

describe("folding", () => {
  it("folds what goes on over several lines, and comments", () => {
    expect(foldingRanges(opened(text)).map(({ startLine, endLine, kind }) => [startLine, endLine, kind])).toEqual([
      [0, 1, "comment"],
      [2, 6, undefined],
      [3, 6, undefined],
      [4, 6, undefined],
      [9, 10, undefined],
    ]);
  });

  it("folds nothing where there is nothing to fold", () => {
    expect(foldingRanges(opened("# one\na: 1\n# two"))).toEqual([]);
  });
});

describe("semantic tokens", () => {
  it("mark keys, domains, choices, numbers with a unit and paths, and no unknown key", () => {
    const snapshot = opened(text);
    const { data } = semanticTokens(snapshot);
    const found: string[] = [];
    let [line, character] = [0, 0];
    for (let i = 0; i < data.length; i += 5) {
      const [lines, characters, length, type, modifiers] = data.slice(i, i + 5) as [
        number,
        number,
        number,
        number,
        number,
      ];
      [line, character] = [line + lines, lines === 0 ? character + characters : characters];
      const range = { start: { line, character }, end: { line, character: character + length } };
      found.push(
        `${textIn(snapshot, range)} ${semanticTokensLegend.tokenTypes[type]}${modifiers ? " declaration" : ""}`,
      );
    }
    expect(found).toEqual([
      "domains property",
      "code class declaration",
      "files property",
      "a.py string",
      "b/*.py string",
      "seed property",
      "tokens property",
      "500k number",
      "from property",
      "3 string",
      "mix property",
      "experts property",
      "code class",
      "seed class",
      "router property",
      "type property",
      "top-k enumMember",
    ]);
  });
});
