import type { Entry } from "../syntax.ts";
import { type Line, lineAt } from "./lines.ts";

const indentOf = (line: string): number => /^ */.exec(line)![0].length;

/**
 * The indentation of each line, such that every level of keys and list items is `width` deeper than the one above.
 * Multi-line values move with their first line, and comments with the line that they are level with.
 */
export function indentation(text: string, root: Entry, lines: readonly Line[], width: number): number[] {
  const wanted = new Map<number, number>();
  const place = (offset: number, column: number): void => {
    const line = lineAt(lines, offset);
    const isFirst = lines[line]!.text.slice(0, offset - lines[line]!.start).trim() === "";
    if (isFirst && !wanted.has(line)) wanted.set(line, column);
  };
  const visit = (entry: Entry, column: number): void => {
    const { value } = entry;
    if (!value || value.kind === "alias" || value.kind === "scalar" || value.flow) return;
    for (const child of entry.children) {
      if (child.key) {
        place(child.key.start, column);
        visit(child, column + width);
      } else {
        const dash = text.lastIndexOf("-", child.span.start - 1);
        if (dash >= 0) place(dash, column);
        visit(child, column + 2);
      }
    }
  };
  visit(root, 0);
  return spread(lines, wanted);
}

/** Interpolates the indentation of lines between known ones. */
function spread(lines: readonly Line[], wanted: ReadonlyMap<number, number>): number[] {
  const result: number[] = [];
  let shift = 0;
  for (const [i, { text }] of lines.entries()) {
    const own = wanted.get(i);
    if (own !== undefined) shift = own - indentOf(text);
    const comment = own === undefined && /^\s*#/.test(text) ? nextKnown(lines, wanted, i) : undefined;
    const isLevel = comment !== undefined && indentOf(lines[comment]!.text) === indentOf(text);
    const moved = isLevel ? wanted.get(comment)! : indentOf(text) + shift;
    result.push(Math.max(0, moved));
  }
  return result;
}

/** The line below a comment: the next known one, with only comments and empty lines between. */
function nextKnown(lines: readonly Line[], wanted: ReadonlyMap<number, number>, from: number): number | undefined {
  for (let i = from + 1; i < lines.length; i++) {
    if (wanted.has(i)) return i;
    if (!/^\s*(#|$)/.test(lines[i]!.text)) return undefined;
  }
  return undefined;
}
