/** A line of a text. */
export interface Line {
  /** Offset in the text. */
  start: number;
  text: string;
  /**
   * Line end: "
   * ", "\r
   * ", or "" at the end of the text.
   */
  ending: string;
}

export function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (const { index, 0: ending } of text.matchAll(/\r?\n/g)) {
    lines.push({ start, text: text.slice(start, index), ending });
    start = index + ending.length;
  }
  lines.push({ start, text: text.slice(start), ending: "" });
  return lines;
}

/** Index of the line at an offset. */
export function lineAt(lines: readonly Line[], offset: number): number {
  let [low, high] = [0, lines.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (lines[middle]!.start <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
