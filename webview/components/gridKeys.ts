/** A place in a grid, by the rows and columns as shown. */
export interface Place {
  row: number;
  column: number;
}

/** What each key does in a grid, for the help text. */
export const gridKeyHelp: readonly [keys: string, does: string][] = [
  ["← → ↑ ↓", "next cell"],
  ["Home, End", "first or last cell of the row"],
  ["Ctrl + Home, End", "first or last cell of the map"],
  ["Page Up, Page Down", "the same cell of the previous or next map"],
  ["Enter", "choose the cell"],
];

/** The place that a key moves to from another one; undefined for other keys. */
export function movedPlace(
  { row, column }: Place,
  { key, ctrlKey, metaKey, altKey }: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey">,
  rows: number,
  columns: number,
): Place | undefined {
  if (altKey) return undefined;
  const whole = ctrlKey || metaKey;
  switch (key) {
    case "ArrowLeft":
      return { row, column: Math.max(0, column - 1) };
    case "ArrowRight":
      return { row, column: Math.min(columns - 1, column + 1) };
    case "ArrowUp":
      return { row: Math.max(0, row - 1), column };
    case "ArrowDown":
      return { row: Math.min(rows - 1, row + 1), column };
    case "Home":
      return { row: whole ? 0 : row, column: 0 };
    case "End":
      return { row: whole ? rows - 1 : row, column: columns - 1 };
    default:
      return undefined;
  }
}
