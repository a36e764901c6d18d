import { type ExpertLook, expertLooks } from "../../server/protocol/expertLooks.ts";
import { chartColor } from "./theme.ts";

/** How experts look: classes of experts.css in text, colours and lines on canvases. Colour never stands alone. */

type Experts = Parameters<typeof expertLooks>[0];

const known = new WeakMap<Experts, ExpertLook[]>();

/** Cached, since every token of a text needs a look. */
function lookOf(experts: Experts, expert: number): ExpertLook {
  const looks = known.get(experts) ?? expertLooks(experts);
  known.set(experts, looks);
  return looks[expert] ?? { color: "seed", line: "solid" };
}

export const expertFill = (experts: Experts, expert: number): string => chartColor(lookOf(experts, expert).color);

/** Dash pattern of an expert's line on a canvas, CSS pixels; a double line is drawn twice. */
export const lineDashes: Readonly<Record<ExpertLook["line"], readonly number[]>> = {
  solid: [],
  dotted: [2, 2],
  dashed: [5, 3],
  double: [],
};
export const lineOf = (experts: Experts, expert: number): ExpertLook["line"] => lookOf(experts, expert).line;

/** CSS classes that mark an element as an expert's; empty without an expert. */
export function expertClass(experts: Experts, expert: number | undefined): string {
  if (expert === undefined) return "";
  const { color, line } = lookOf(experts, expert);
  return `expert on-${color} line-${line}`;
}
