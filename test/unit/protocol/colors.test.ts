import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { chartColors, colorId, colorVariable, stageColors } from "../../../server/protocol/colors.ts";
import { contrast } from "../../../server/report/palette.ts";

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
type Rgb = [number, number, number];
const rgb = (hex: string): Rgb => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as Rgb;

const declaredColors = (prefix: string) => {
  const { colors } = JSON.parse(read("package.json")).contributes;
  return (colors as { id: string; defaults: Record<string, string> }[]).filter(({ id }) => id.startsWith(prefix));
};

describe("the colours of stages", () => {
  it("are grey for the seed, blue for the mixture, and one of six for each other stage that trains", () => {
    const names = [
      "data",
      "seed",
      "expert:a",
      "expert:b",
      "mix",
      "finetune",
      "dense",
      "upcycling",
      "upcycling-compute",
    ];
    expect(Object.fromEntries(stageColors(names))).toEqual({
      seed: "seed",
      "expert:a": "one",
      "expert:b": "two",
      mix: "mix",
      finetune: "mix",
      dense: "three",
      upcycling: "four",
      "upcycling-compute": "five",
    });
  });

  it("are those of the model for its evaluation, and begin again after six", () => {
    const experts = Array.from({ length: 8 }, (_, index) => `expert:${index}`);
    const colors = stageColors([...experts, "evaluate:expert:2", "evaluate:average"]);
    expect(colors.get("expert:6")).toBe(colors.get("expert:0"));
    expect(colors.get("evaluate:expert:2")).toBe(colors.get("expert:2"));
    expect(colors.has("evaluate:average")).toBe(false);
  });

  it("are declared for every theme, seen on its background, and known to pages by the name VS Code gives them", () => {
    const declared = declaredColors("btx.chart");
    expect(declared.map(({ id }) => id)).toEqual(chartColors.map(colorId));
    const backgrounds = { dark: "#1f1f1f", light: "#ffffff", highContrast: "#000000", highContrastLight: "#ffffff" };
    for (const { defaults } of declared) {
      for (const [theme, background] of Object.entries(backgrounds))
        expect(contrast(rgb(defaults[theme]!), rgb(background))).toBeGreaterThan(4.5);
    }
    // VS Code writes the first dot of an id as a dash, and no other.
    expect(colorVariable("seed")).toBe("--vscode-btx-chartSeed");
    const css = read("webview/theme.css");
    for (const [index, color] of chartColors.entries()) {
      const { light, dark } = declared[index]!.defaults;
      expect(css).toContain(`${colorVariable(color)}: light-dark(${light}, ${dark});`);
    }
  });

  it("lie behind routed tokens so thin that the text on them can be read", () => {
    const declared = declaredColors("btx.routed");
    expect(declared.map(({ id }) => id)).toEqual(chartColors.map((color) => colorId(color).replace("chart", "routed")));
    const texts = { dark: ["#cccccc", "#1f1f1f"], light: ["#3b3b3b", "#ffffff"] };
    for (const { defaults } of declared) {
      for (const [theme, [text, background]] of Object.entries(texts)) {
        const color = defaults[theme]!;
        const opacity = Number.parseInt(color.slice(7), 16) / 255;
        const under = rgb(background!);
        const mixed = rgb(color).map((part, i) => part * opacity + under[i]! * (1 - opacity)) as Rgb;
        expect(contrast(rgb(text!), mixed)).toBeGreaterThan(4.5);
      }
    }
  });
});
