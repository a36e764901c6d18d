import { fileURLToPath } from "node:url";
import type { Position, Range } from "vscode-languageserver";
import { TextDocument } from "vscode-languageserver-textdocument";
import { parseExperiment } from "../experiment/parse.ts";
import type * as problem from "../experiment/problem.ts";
import type { Experiment } from "../experiment/resolve.ts";
import { type Entry, readSyntax, type Span } from "./syntax.ts";

/** One version of an experiment file in the editor, and what follows from it, computed at most once. */
export class Snapshot {
  readonly uri: string;
  readonly version: number;
  readonly text: string;
  /** Path on this machine's disk; undefined if it has none. Relative paths start at its folder. */
  readonly file: string | undefined;
  readonly #document: TextDocument;
  #syntax: Entry | undefined;
  #parsed: { experiment?: Experiment; problems: problem.Problem[] } | undefined;
  #lines: number[] | undefined;

  constructor(uri: string, version: number, text: string) {
    this.uri = uri;
    this.version = version;
    this.text = text;
    this.file = pathOf(uri);
    // A copy, because the editor's document may change while callers wait for a disk.
    this.#document = TextDocument.create(uri, "btx", version, text);
  }

  /** The syntax tree, even if the text has mistakes. */
  get syntax(): Entry {
    this.#syntax ??= readSyntax(this.text);
    return this.#syntax;
  }

  /** What `btx check` reads: all problems, and the experiment if there are no problems. */
  get parsed(): { experiment?: Experiment; problems: problem.Problem[] } {
    this.#parsed ??= parseExperiment(this.text, this.file ?? this.uri);
    return this.#parsed;
  }

  position(offset: number): Position {
    return this.#document.positionAt(offset);
  }

  offset(position: Position): number {
    return this.#document.offsetAt(position);
  }

  range({ start, end }: Span): Range {
    return { start: this.position(start), end: this.position(Math.max(start, end)) };
  }

  /** A problem's range in the text. Problems count lines and columns from 1, without a byte order mark. */
  spanOf({ line, column, endLine, endColumn }: problem.Range): Span {
    const start = this.#offsetOf(line, column);
    let end = Math.max(start, this.#offsetOf(endLine, endColumn));
    while (end > start && /\s/.test(this.text[end - 1]!)) end--;
    return { start, end };
  }

  #offsetOf(line: number, column: number): number {
    const mark = this.text.startsWith("\uFEFF") ? 1 : 0;
    this.#lines ??= [mark, ...Array.from(this.text.matchAll(/\n/g), ({ index }) => index + 1)];
    const start = this.#lines[Math.min(line, this.#lines.length) - 1]!;
    return Math.min(start + column - 1, this.text.length);
  }
}

function pathOf(uri: string): string | undefined {
  try {
    return fileURLToPath(uri);
  } catch {
    return undefined;
  }
}
