import { type ChartColor, chartColors } from "../../server/protocol/colors.ts";
import { chartColor } from "./theme.ts";

/** How experts look, in texts by classes of experts.css and on canvases by colours. Colour is never all that tells them apart. */

interface Named {
  name: string;
  color?: ChartColor | undefined;
}

/** Other stages than the seed and the mixture have these. */
const others: readonly ChartColor[] = chartColors.slice(2);
/** Ways of underlining. */
const lines = 5;

export const colorOf = (experts: readonly Named[], expert: number): ChartColor =>
  experts[expert]?.color ?? others[expert % others.length]!;

export const expertFill = (experts: readonly Named[], expert: number): string => chartColor(colorOf(experts, expert));

/** Classes of what is marked as an expert's; none where there is no expert. */
export const expertClass = (experts: readonly Named[], expert: number | undefined): string =>
  expert === undefined ? "" : `expert on-${colorOf(experts, expert)} line-${expert % lines}`;
