import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { backgroundId } from "../../../../extension/routing/looks.ts";
import { defaults, numberOptions, problemOf, summary, withNumber } from "../../../../extension/routing/sampling.ts";
import { bar, legend, spoken, tokenLines } from "../../../../extension/routing/texts.ts";
import { chartColors, colorId } from "../../../../server/protocol/colors.ts";
import type { Routed } from "../../../../server/protocol/routed.ts";

const token = { start: 0, end: 3, chosen: [1, 0, 1, -1], gates: [0.75, 0.25, 1, 0], surprise: 1.234 };
const routed: Routed = { layers: [1, 10], experts: [{ name: "code" }, { name: "mathematics" }], k: 2, tokens: [token] };

describe("a bar", () => {
  test("has the length of its share, to an eighth, and a fixed width", () => {
    expect(bar(0)).toBe("          ");
    expect(bar(1)).toBe("██████████");
    expect(bar(0.25)).toBe("██▌       ");
    expect(bar(0.0125, 10)).toBe("▏         ");
    expect([bar(-1), bar(2), bar(Number.NaN)]).toEqual([bar(0), bar(1), bar(0)]);
  });
});

describe("the hover of a token", () => {
  test("shows its text, its surprise and the gates of every layer", () => {
    expect(tokenLines("a\n`", token, routed).split("\n")).toEqual([
      '"a\\n`"  surprise 1.23 nats',
      `layer  1  mathematics ${bar(0.75)} 0.75  code        ${bar(0.25)} 0.25`,
      `layer 10  mathematics ${bar(1)} 1.00`,
    ]);
  });

  test("shows that there is no token before it, or no expert", () => {
    const dropped = { ...token, chosen: [-1, -1, 0, -1], gates: [0, 0, 1, 0], surprise: null };
    const lines = tokenLines("a", dropped, routed).split("\n");
    expect(lines[0]).toBe('"a"  no token before it');
    expect(lines[1]).toBe("layer  1  no expert");
  });
});

describe("the legend", () => {
  const tokens = [1, 1, 0, 1].map((expert, i) => ({ ...token, start: i, end: i + 1, chosen: [expert, -1, 0, -1] }));

  test("lists the experts by their share in the shown layers", () => {
    expect(legend({ ...routed, tokens }, 0)).toEqual([
      { expert: 1, name: "mathematics", share: 0.75 },
      { expert: 0, name: "code", share: 0.25 },
    ]);
    expect(legend({ ...routed, tokens }, 1).map(({ name, share }) => [name, share])).toEqual([
      ["code", 1],
      ["mathematics", 0],
    ]);
  });

  test("is a sentence for screen readers, without unused experts", () => {
    expect(spoken({ ...routed, tokens }, 0)).toBe("4 tokens in layer 1: mathematics 75 %, code 25 %");
    expect(spoken({ ...routed, tokens }, 1)).toBe("4 tokens in layer 10: code 100 %");
  });
});

describe("the looks of experts", () => {
  test("have translucent backgrounds in the manifest, in the colours of the charts", () => {
    const manifest = JSON.parse(readFileSync(new URL("../../../../package.json", import.meta.url), "utf8"));
    const colors: { id: string; defaults: Record<string, string> }[] = manifest.contributes.colors;
    const of = (id: string) => colors.find((color) => color.id === id)!.defaults;
    for (const color of chartColors) {
      const [chart, behind] = [of(colorId(color)), of(backgroundId(color))];
      for (const theme of ["dark", "light"]) expect(behind[theme]).toMatch(new RegExp(`^${chart[theme]}[0-7].$`));
      expect([behind.highContrast, behind.highContrastLight]).toEqual(["#00000000", "#00000000"]);
    }
  });
});

describe("options of sampling", () => {
  const option = (key: string) => numberOptions.find((one) => one.key === key)!;

  test("accept only numbers in their range, and name that range", () => {
    const fine = (key: string, typed: string) => problemOf(option(key), typed) === undefined;
    expect(["0", "0.5", "100"].map((typed) => fine("temperature", typed))).toEqual([true, true, true]);
    expect(["-1", "101", "x", "", "NaN"].map((typed) => fine("temperature", typed))).toEqual(Array(5).fill(false));
    expect(["0", "1.5", "200"].map((typed) => fine("tokens", typed))).toEqual([false, false, true]);
    expect(["", "2", "0"].map((typed) => fine("k", typed))).toEqual([true, true, false]);
    expect(problemOf(option("topP"), "2")).toBe("Enter a number from 0 to 1.");
  });

  test("change one at a time and fit on one line", () => {
    const changed = withNumber(withNumber(defaults, option("k"), "1"), option("topP"), " 0.9 ");
    expect(summary({ ...changed, off: ["code"] })).toBe(
      "temperature 0.8, top-p 0.9, 200 tokens, random seed 0, 1 expert per token, without code",
    );
    expect(summary(withNumber(changed, option("k"), ""))).toBe("temperature 0.8, top-p 0.9, 200 tokens, random seed 0");
  });
});
