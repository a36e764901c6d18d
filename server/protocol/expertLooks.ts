import { type ChartColor, chartColors } from "./colors.ts";

/** How experts look wherever tokens are marked as theirs: in editors, on pages and in legends. */

/** Styles of the line below a token, which distinguishes experts without colour. */
export const expertLines = ["solid", "dotted", "dashed", "double"] as const;

export interface ExpertLook {
  color: ChartColor;
  line: (typeof expertLines)[number];
}

/** Other stages than the seed and the mixture have these. */
const others = chartColors.slice(2);

/** The colours of the tree, else the next of six, over lines of four styles. No two of 24 without a colour look the same. */
export function expertLooks(experts: readonly { color?: ChartColor | undefined }[]): ExpertLook[] {
  const used = new Set<string>();
  return experts.map((expert, index) => {
    const color = expert.color ?? others[index % others.length]!;
    const inTurn = expertLines.map((_, by) => expertLines[(index + by) % expertLines.length]!);
    const line = inTurn.find((one) => !used.has(`${color} ${one}`)) ?? inTurn[0]!;
    used.add(`${color} ${line}`);
    return { color, line };
  });
}
