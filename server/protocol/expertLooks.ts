import { type ChartColor, chartColors } from "./colors.ts";

/** How tokens are marked with their expert: in editors, on pages and in legends. */

/** Styles of the line below a token, which distinguishes experts without relying on colour. */
export const expertLines = ["solid", "dotted", "dashed", "double"] as const;

export interface ExpertLook {
  color: ChartColor;
  line: (typeof expertLines)[number];
}

/** The colours of all stages except the seed and the mixture. */
const others = chartColors.slice(2);

/**
 * The tree's colours, or else the next of six, combined with four line styles: 24 experts without a colour all look
 * different.
 */
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
