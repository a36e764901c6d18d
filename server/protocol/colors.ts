import { factsOf, kindOfName } from "./stageKinds.ts";

/** The colour of a stage, wherever it is shown: in the tree, in legends, in charts. */

/** Colours of `contributes.colors`. */
export const chartColors = ["seed", "mix", "one", "two", "three", "four", "five", "six"] as const;
export type ChartColor = (typeof chartColors)[number];

/** The id of a colour in the manifest and in themes: "btx.chartSeed". */
export const colorId = (color: string): string => `btx.chart${color.charAt(0).toUpperCase()}${color.slice(1)}`;

/** Its CSS variable in pages. */
export const colorVariable = (color: string): string => `--vscode-${colorId(color).replace(".", "-")}`;

/**
 * The colours of the stages of one run, in the order of the plan: the seed is grey, the finetuned mixture blue, and
 * every other stage that trains has the next of six. A stage that does not train has the colour of the model it is
 * about, or none.
 *
 * @param names of the plan's stages, such as "seed", "expert:code", "evaluate:finetune"
 */
export function stageColors(names: readonly string[]): Map<string, ChartColor> {
  const colors = new Map<string, ChartColor>();
  let next = 0;
  for (const name of names) {
    const color = factsOf(kindOfName(name) ?? "")?.color;
    if (color === "next") colors.set(name, chartColors[2 + (next++ % 6)]!);
    else if (color !== undefined && color !== "model") colors.set(name, color);
  }
  for (const name of names) {
    const model = /^evaluate:(.*)$/.exec(name)?.[1] ?? (name === "mix" ? "finetune" : undefined);
    const color = model === undefined ? undefined : colors.get(model);
    if (color) colors.set(name, color);
  }
  return colors;
}
