import type { Range } from "../../server/protocol/stream.ts";
import { type ChartLine, nearest } from "./chartLine.ts";
import { zoomed, zoomY } from "./chartPointer.ts";
import type { Plot } from "./drawLines.ts";

/** What each key does, for the help text. */
export const keyHelp: readonly [keys: string, does: string][] = [
  ["← →", "previous or next point of the current line"],
  ["↑ ↓", "previous or next line"],
  ["Page Up, Page Down", "a tenth of the chart back or forward"],
  ["Home, End", "first or last point"],
  ["Shift + ← →, Home, End", "select a range"],
  ["Enter", "zoom to the selected range"],
  ["+ −", "zoom in or out along x"],
  ["Shift + ↑ ↓", "zoom in or out along y"],
  ["Ctrl + ← →", "move along x"],
  ["Ctrl + ↑ ↓", "move along y"],
  ["0", "show all"],
  ["Escape", "clear the selection, then the cursor"],
];

/** Chart operations available to keys. */
export interface KeyTarget {
  readonly plot: Plot;
  readonly lines: readonly ChartLine[];
  readonly cursor: number | undefined;
  readonly selection: Range | undefined;
  /** The line that the keys move along. */
  readonly current: ChartLine | undefined;
  show(ranges: { x?: Range; y?: Range }): void;
  showAll(): void;
  select(range: Range | undefined): void;
  /** Moves the cursor and announces the value there. */
  moveCursor(x: number | undefined): void;
  selectLine(id: string): void;
}

const zoom = 1.5;

/** @returns whether the key did something. */
export function pressKey(target: KeyTarget, { key, shiftKey, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  if (altKey) return false;
  const { plot } = target;
  const width = plot.x[1] - plot.x[0];
  const command = ctrlKey || metaKey;
  switch (key) {
    case "ArrowLeft":
    case "ArrowRight": {
      const direction = key === "ArrowRight" ? 1 : -1;
      if (command) target.show({ x: [plot.x[0] + (direction * width) / 10, plot.x[1] + (direction * width) / 10] });
      else step(target, neighbour(target, direction), shiftKey);
      return true;
    }
    case "ArrowUp":
    case "ArrowDown": {
      const up = key === "ArrowUp";
      if (command) target.show({ y: movedY(plot, up ? 0.1 : -0.1) });
      else if (shiftKey) target.show({ y: zoomY(plot, middleY(plot), up ? 1 / zoom : zoom) });
      else nextLine(target, up ? -1 : 1);
      return true;
    }
    case "PageUp":
    case "PageDown": {
      const from = target.cursor ?? (plot.x[0] + plot.x[1]) / 2;
      step(target, from + (key === "PageDown" ? width : -width) / 10, shiftKey);
      return true;
    }
    case "Home":
    case "End": {
      const x = target.current?.x;
      if (x?.length) step(target, key === "Home" ? x[0]! : x.at(-1)!, shiftKey);
      return true;
    }
    case "+":
    case "=":
    case "-":
    case "_": {
      if (command) return false;
      const about = target.cursor ?? (plot.x[0] + plot.x[1]) / 2;
      target.show({ x: zoomed(plot.x, about, key === "+" || key === "=" ? 1 / zoom : zoom) });
      return true;
    }
    case "0":
      if (command) return false;
      target.showAll();
      return true;
    case "Enter":
      if (!target.selection) return false;
      target.show({ x: target.selection });
      return true;
    case "Escape":
      if (target.selection) target.select(undefined);
      else if (target.cursor !== undefined) target.moveCursor(undefined);
      else return false;
      return true;
    default:
      return false;
  }
}

/** Moves the cursor to a point, and the view with it if needed; `extending` extends the selection to that point. */
function step(target: KeyTarget, to: number | undefined, extending: boolean): void {
  if (to === undefined) return;
  const { plot, selection } = target;
  const from = target.cursor ?? to;
  if (extending) {
    // The end of the selection away from the cursor stays.
    const anchor = selection ? (from === selection[0] ? selection[1] : selection[0]) : from;
    target.select(anchor === to ? undefined : anchor < to ? [anchor, to] : [to, anchor]);
  }
  const width = plot.x[1] - plot.x[0];
  if (to < plot.x[0]) target.show({ x: [to, to + width] });
  else if (to > plot.x[1]) target.show({ x: [to - width, to] });
  target.moveCursor(to);
}

/** The x of the current line's point before or after the cursor. */
function neighbour({ current, cursor, plot }: KeyTarget, direction: number): number | undefined {
  if (!current || current.x.length === 0) return undefined;
  const { x } = current;
  if (cursor === undefined) return x[nearest(x, direction > 0 ? plot.x[0] : plot.x[1])];
  const at = nearest(x, cursor);
  return x[Math.min(x.length - 1, Math.max(0, x[at] === cursor ? at + direction : at))];
}

function nextLine(target: KeyTarget, by: number): void {
  const { lines, current } = target;
  if (lines.length === 0) return;
  const at = lines.findIndex(({ id }) => id === current?.id);
  target.selectLine(lines[at < 0 ? 0 : (at + by + lines.length) % lines.length]!.id);
}

const middleY = ({ y: [low, high], log }: Plot): number => (log ? Math.sqrt(low * high) : (low + high) / 2);

function movedY({ y: [low, high], log }: Plot, share: number): Range {
  if (log) return [low * (high / low) ** share, high * (high / low) ** share];
  return [low + (high - low) * share, high + (high - low) * share];
}
