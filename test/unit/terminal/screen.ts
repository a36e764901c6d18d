import { EventEmitter } from "node:events";
import { width } from "../../../server/terminal/ansi.ts";

/** A terminal small enough to read: it wraps long lines, obeys cursor up, carriage return, erase below and cursor visibility. */
export class Screen extends EventEmitter {
  columns: number;
  rows: number;
  cursorVisible = true;
  /** Everything written. */
  output = "";
  private lines: string[] = [""];
  private row = 0;

  constructor(columns = 100, rows = 24) {
    super();
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): void {
    this.output += text;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what a terminal reads.
    for (const [part] of text.matchAll(/\u001b\[\?25[lh]|\u001b\[\d*[A-Zm]|\n|\r|[^\u001b\n\r]+|\u001b/gu))
      this.obey(part);
  }

  private obey(part: string): void {
    if (part === "\u001b[?25l") this.cursorVisible = false;
    else if (part === "\u001b[?25h") this.cursorVisible = true;
    else if (part.endsWith("A") && part.startsWith("\u001b"))
      this.row = Math.max(0, this.row - Number(part.slice(2, -1)));
    else if (part === "\u001b[J") this.lines.splice(this.row, this.lines.length, "");
    else if (part === "\r") return;
    else if (part === "\n") this.lines[++this.row] ??= "";
    else if (part.startsWith("\u001b")) throw new Error(`The screen does not know ${JSON.stringify(part)}.`);
    else {
      this.lines[this.row] = part;
      for (let rest = part; this.columns > 0 && width(rest) > this.columns; ) {
        this.lines[this.row] = rest.slice(0, this.columns);
        rest = rest.slice(this.columns);
        this.lines[++this.row] = rest;
      }
    }
  }

  /** Sets a new width and wraps what is on the screen, as a terminal does. */
  resize(columns: number): void {
    this.columns = columns;
    const wrapped = this.lines.flatMap((line) => {
      const pieces: string[] = [];
      for (let at = 0; at === 0 || at < line.length; at += columns) pieces.push(line.slice(at, at + columns));
      return pieces;
    });
    this.lines = wrapped;
    this.row = wrapped.length - 1;
    this.emit("resize");
  }

  /** The lines that are on the screen now, without the empty one the cursor waits on. */
  shown(): string[] {
    return this.lines.filter((line, index) => line !== "" || index < this.lines.length - 1);
  }
}
