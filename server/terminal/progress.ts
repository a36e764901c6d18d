import { duration, loss } from "../protocol/format.ts";
import type { RunEvent } from "../protocol/run.ts";
import { clean, cutEnd, padEnd, styles, width } from "./ansi.ts";
import { barLine, plainLine, type StageProgress, shareDone } from "./bars.ts";

/** The part of a terminal or file stream that progress needs. */
export interface ProgressStream {
  write(text: string): unknown;
  columns?: number;
  rows?: number;
  on?(event: "resize", listener: () => void): unknown;
  off?(event: "resize", listener: () => void): unknown;
}

export interface ProgressOptions {
  /** True: bars that redraw in place. False: plain lines, as for a log. */
  tty: boolean;
  color: boolean;
  /** A monotonic clock, ms. */
  now?: () => number;
}

export interface Progress {
  event(event: RunEvent): void;
  /** Removes the bars, restores the cursor and stops listening; a second call does nothing. */
  close(): void;
}

interface Running extends StageProgress {
  /** When the stage began, ms. */
  started: number;
  /** Time and share of the last plain line. */
  printed: number;
  printedShare: number;
}

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
/** Minimum time between redraws of the bars, ms. */
const FRAME = 80;
/** Minimum time between two plain lines for a stage, ms. The next line also waits for 10 % more work or a minute. */
const PLAIN_GAP = 10_000;
const PLAIN_LONGEST = 60_000;
const PLAIN_SHARE = 0.1;
const ENDINGS = new Set(["done", "failed", "stopped", "interrupted"]);

/** Shows the events of a run on `stream`, for people. */
export function createProgress(stream: ProgressStream, options: ProgressOptions): Progress {
  const now = options.now ?? (() => performance.now());
  const running = new Map<string, Running>();
  const board = options.tty ? createBoard(stream, options, running, now) : undefined;
  const style = styles(options.color);
  const say = (line: string) => (board ? board.above(line) : stream.write(`${line}\n`));
  let closed = false;
  let nameWidth = 0;

  function begin(stage: string): Running {
    const known = running.get(stage);
    if (known) return known;
    const fresh: Running = { stage, started: now(), printed: now(), printedShare: 0 };
    running.set(stage, fresh);
    if (!board) say(`${clean(stage)}: started`);
    return fresh;
  }

  function ending(event: Extract<RunEvent, { event: "stage" }>): string {
    const known = running.get(event.stage);
    const name = padEnd(clean(event.stage), options.tty ? Math.min(nameWidth, 28) : 0);
    if (event.reused && event.status === "done") return `${style.dim("↺")} ${name}  ${style.dim("reused")}`;
    const parts = known ? [duration((now() - known.started) / 1000)] : [];
    if (known?.loss !== undefined) parts.push(`loss ${loss(known.loss)}`);
    const facts = parts.length > 0 ? `  ${parts.join("  ")}` : "";
    if (event.status === "done") return `${style.green("✓")} ${name}${facts}`;
    const mark = event.status === "failed" ? style.red("✗") : style.yellow("■");
    const [first = "", ...rest] = (event.error ?? "").split(/\r?\n/).map(clean);
    const reason = [first && `: ${first}`, ...rest.map((line) => `\n    ${line}`)].join("");
    return `${mark} ${name}${facts}  ${clean(event.status)}${reason}`;
  }

  function onStage(event: Extract<RunEvent, { event: "stage" }>): void {
    nameWidth = Math.max(nameWidth, width(clean(event.stage)));
    if (event.status === "running") {
      begin(event.stage);
      board?.draw();
    } else if (ENDINGS.has(event.status)) {
      const line = ending(event);
      running.delete(event.stage);
      say(line);
    }
  }

  function onProgress({ event: _, ...progress }: Extract<RunEvent, { event: "progress" }>): void {
    const stage = Object.assign(begin(progress.stage), progress);
    if (board) {
      board.drawSoon();
      return;
    }
    const since = now() - stage.printed;
    const share = shareDone(stage);
    if (since < PLAIN_GAP || (since < PLAIN_LONGEST && share - stage.printedShare < PLAIN_SHARE)) return;
    stage.printed = now();
    stage.printedShare = share;
    say(plainLine(stage));
  }

  return {
    event(event) {
      if (closed) return;
      switch (event.event) {
        case "run":
          nameWidth = Math.max(0, ...event.stages.map((name) => width(clean(name))));
          say(`Run ${style.bold(clean(event.run))}, ${event.stages.length} stages, ${clean(event.folder)}`);
          break;
        case "stage":
          onStage(event);
          break;
        case "progress":
          onProgress(event);
          break;
        case "message":
          for (const line of event.text.split(/\r?\n/)) say(clean(line));
      }
    },
    close() {
      if (closed) return;
      closed = true;
      board?.close();
    },
  };
}

/** Lines at the bottom of a terminal that are redrawn in place; all other output scrolls above them. */
function createBoard(
  stream: ProgressStream,
  { color }: ProgressOptions,
  running: ReadonlyMap<string, StageProgress>,
  now: () => number,
) {
  const style = styles(color);
  /** Widths of the drawn lines, to know how many rows they fill if the terminal has become narrower. */
  let drawn: number[] = [];
  let drawnAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let hidden = false;
  // A pseudo-terminal whose size was never set reports 0.
  const columns = () => stream.columns || 80;
  const showCursor = () => stream.write(SHOW_CURSOR);

  /** Moves to the start of the first drawn line and erases everything below. */
  function erase(): string {
    const rows = drawn.reduce((sum, wide) => sum + Math.max(1, Math.ceil(wide / columns())), 0);
    drawn = [];
    return rows > 0 ? `\u001b[${rows}A\r\u001b[J` : "";
  }

  function lines(): string[] {
    const maxLines = Math.max(1, (stream.rows || 24) - 2);
    const all = [...running.values()];
    const shown = all.length > maxLines ? all.slice(0, maxLines - 1) : all;
    const room = columns() - 1;
    const nameWidth = Math.min(28, Math.max(0, ...shown.map(({ stage }) => width(clean(stage)))));
    const bars = shown.map((stage) => barLine(stage, nameWidth, room, style));
    const more = all.length - shown.length;
    return more > 0 ? [...bars, cutEnd(`and ${more} more`, room)] : bars;
  }

  function draw(above = ""): void {
    clearTimeout(timer);
    timer = undefined;
    drawnAt = now();
    const start = erase() + above;
    const next = lines();
    drawn = next.map(width);
    const cursor = !hidden && next.length > 0 ? HIDE_CURSOR : "";
    if (cursor) {
      hidden = true;
      process.once("exit", showCursor);
    }
    const text = cursor + start + next.map((line) => `${line}\n`).join("");
    if (text) stream.write(text);
  }

  const onResize = () => draw();
  stream.on?.("resize", onResize);

  return {
    draw: () => draw(),
    /** Draws now, or once `FRAME` has passed since the last drawing. */
    drawSoon(): void {
      const wait = FRAME - (now() - drawnAt);
      if (wait <= 0) draw();
      else timer ??= setTimeout(draw, wait).unref();
    },
    above: (line: string) => draw(`${line}\n`),
    close(): void {
      clearTimeout(timer);
      stream.off?.("resize", onResize);
      const text = erase() + (hidden ? SHOW_CURSOR : "");
      process.off("exit", showCursor);
      hidden = false;
      if (text) stream.write(text);
    },
  };
}
