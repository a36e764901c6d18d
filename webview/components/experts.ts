import { type ExpertLook, expertLooks } from "../../server/protocol/expertLooks.ts";
import { chartColor } from "./theme.ts";

/** How experts look: classes of experts.css in text, colours on canvases. Colour alone never distinguishes them. */

type Experts = Parameters<typeof expertLooks>[0];

const known = new WeakMap<Experts, ExpertLook[]>();

/** A text marks every token: looks are worked out once. */
function lookOf(experts: Experts, expert: number): ExpertLook {
  const looks = known.get(experts) ?? expertLooks(experts);
  known.set(experts, looks);
  return looks[expert] ?? { color: "seed", line: "solid" };
}

export const expertFill = (experts: Experts, expert: number): string => chartColor(lookOf(experts, expert).color);

/** How an expert's line is drawn on a canvas, CSS pixels on and off; a double one is drawn twice. */
export const lineDashes: Readonly<Record<ExpertLook["line"], readonly number[]>> = {
  solid: [],
  dotted: [2, 2],
  dashed: [5, 3],
  double: [],
};
export const lineOf = (experts: Experts, expert: number): ExpertLook["line"] => lookOf(experts, expert).line;

/** Classes of what is marked as an expert's; none where there is no expert. */
export function expertClass(experts: Experts, expert: number | undefined): string {
  if (expert === undefined) return "";
  const { color, line } = lookOf(experts, expert);
  return `expert on-${color} line-${line}`;
}
