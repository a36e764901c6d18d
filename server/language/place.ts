import { CST, Lexer } from "yaml";
import type { Path } from "../experiment/problem.ts";
import { maxCharacters } from "../experiment/source.ts";
import type { Span } from "./syntax.ts";

/** Where something is being typed, in a text that may be invalid. */
export interface Place {
  /** Key: of the mapping at `path`. Value: of the key or list item at `path`. */
  kind: "key" | "value";
  path: Path;
  /** Text typed so far, up to the cursor, without a quote. */
  prefix: string;
  /** The range a completion replaces: the whole word around the cursor. */
  span: Span;
  /** Inside brackets. */
  flow: boolean;
  quote?: '"' | "'";
  /** A colon follows the word. */
  colon: boolean;
  /** Set if the word starts its line: its column. */
  indent?: number;
}

interface Frame {
  kind: "mapping" | "list";
  flow: boolean;
  /** Column of the keys or dashes of a block. */
  column: number;
  path: Path;
  /** The last key whose colon was read. */
  key?: string;
  /** Number of the last item. */
  index: number;
  /** There is a value after the key's colon or the item's dash. */
  valued: boolean;
  /** Where the line of the last key or dash begins. */
  line: number;
}

/**
 * Where in the experiment the cursor is, found from the text before it alone, so that it works even if the rest does
 * not parse. Undefined in comments, in multi-line strings, and where nothing can follow.
 */
export function placeAt(text: string, offset: number): Place | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the lexer marks its tokens with such characters.
  if (text.length > maxCharacters || /[\x00-\x08\x0e-\x1f]/.test(text)) return undefined;
  return new Scanner(text, offset).place();
}

class Scanner {
  readonly #text: string;
  readonly #offset: number;
  readonly #frames: Frame[] = [];
  /** The last scalar that was read; it becomes a key when a colon follows. */
  #word: { text: string; start: number } | undefined;
  #line = 0;
  /** The last token was a comment or the text of a block scalar. */
  #silent = false;
  #isBlockScalar = false;

  constructor(text: string, offset: number) {
    this.#text = text;
    this.#offset = offset;
    let at = 0;
    let isScalar = false;
    for (const token of new Lexer().lex(text.slice(0, offset))) {
      if (token === CST.SCALAR || token === CST.DOCUMENT || token === CST.FLOW_END) {
        isScalar = token === CST.SCALAR;
        continue;
      }
      this.#token(token, isScalar ? "scalar" : CST.tokenType(token), at);
      isScalar = false;
      at += token.length;
      const newline = token.lastIndexOf("\n");
      if (newline >= 0) this.#line = at - token.length + newline + 1;
    }
  }

  get #top(): Frame | undefined {
    return this.#frames.at(-1);
  }

  #token(token: string, type: CST.TokenType | "scalar" | null, at: number): void {
    this.#silent = type === "comment" || (type === "scalar" && this.#isBlockScalar);
    if (this.#silent) {
      this.#isBlockScalar = false;
      return;
    }
    switch (type) {
      case "scalar":
      case "single-quoted-scalar":
      case "double-quoted-scalar":
        this.#word = { text: token, start: at };
        this.#given(at);
        break;
      case "block-scalar-header":
        this.#isBlockScalar = true;
        this.#given(at);
        break;
      case "alias":
        this.#given(at);
        break;
      case "newline":
        if (!this.#top?.flow) this.#word = undefined;
        break;
      case "map-value-ind":
        this.#colon();
        break;
      case "seq-item-ind":
        this.#dash(at);
        break;
      case "comma":
        this.#word = undefined;
        if (this.#top?.flow) Object.assign(this.#top, { key: undefined, valued: false, index: this.#top.index + 1 });
        break;
      case "flow-map-start":
      case "flow-seq-start":
        this.#open(type === "flow-map-start" ? "mapping" : "list", at);
        break;
      case "flow-map-end":
      case "flow-seq-end":
        this.#word = undefined;
        while (this.#top && !this.#top.flow) this.#frames.pop();
        this.#frames.pop();
        break;
      case "doc-start":
        this.#frames.length = 0;
    }
  }

  /** Closes the blocks that are indented more than `column`. */
  #closeTo(column: number): void {
    for (let top = this.#top; top && !top.flow; top = this.#top) {
      const stays = top.kind === "list" ? top.column < column : top.column <= column;
      if (stays) break;
      this.#frames.pop();
    }
  }

  /** Handles a token at `at`: at the start of a line in a block, it ends the deeper blocks. */
  #given(at: number): void {
    const top = this.#top;
    if (!top?.flow && this.#text.slice(this.#line, at).trim() === "") this.#closeTo(at - this.#line);
    const now = this.#top;
    const isNextKey = now?.kind === "mapping" && !now.flow && now.column === at - this.#line;
    if (now && !isNextKey) now.valued = true;
  }

  #colon(): void {
    const word = this.#word;
    this.#word = undefined;
    if (!word) return;
    const key = unquoted(word.text);
    const top = this.#top;
    const next = { key, valued: false, line: this.#line };
    if (top?.flow) {
      if (top.kind === "mapping") Object.assign(top, next);
      return;
    }
    const column = word.start - this.#line;
    this.#closeTo(column);
    const block = this.#top;
    if (block?.kind === "mapping" && block.column === column) Object.assign(block, next);
    else this.#frames.push({ kind: "mapping", flow: false, column, path: valuePath(block), index: -1, ...next });
  }

  #dash(at: number): void {
    const column = at - this.#line;
    for (let top = this.#top; top && !top.flow && top.column > column; top = this.#top) this.#frames.pop();
    const next = { valued: false, line: this.#line };
    const top = this.#top;
    if (top?.kind === "list" && !top.flow && top.column === column) Object.assign(top, next, { index: top.index + 1 });
    else this.#frames.push({ kind: "list", flow: false, column, path: valuePath(top), index: 0, ...next });
  }

  #open(kind: Frame["kind"], at: number): void {
    this.#given(at);
    this.#word = undefined;
    const path = valuePath(this.#top);
    this.#frames.push({ kind, flow: true, column: 0, path, index: 0, valued: false, line: this.#line });
  }

  place(): Place | undefined {
    const [text, offset] = [this.#text, this.#offset];
    if (this.#silent) return undefined;
    const word = this.#word && this.#word.start + this.#word.text.length === offset ? this.#word : undefined;
    if (word?.text.includes("\n")) return undefined;
    const quote = /^["']/.exec(word?.text ?? "")?.[0] as Place["quote"];
    if (quote && word!.text.length > 1 && word!.text.endsWith(quote)) return undefined;
    const start = (word?.start ?? offset) + (quote ? 1 : 0);
    const rest = (quote ? /^[^"'\r\n]*/ : /^[^\s,:{}[\]#"']*/).exec(text.slice(offset))![0];
    const end = offset + rest.length;
    const common = {
      prefix: text.slice(start, offset),
      span: { start, end },
      colon: /^["']?\s*:/.test(text.slice(end, end + 200)),
      ...(quote ? { quote } : {}),
    };
    const found = this.#where(word?.start ?? offset, word !== undefined);
    return found && { ...common, ...found };
  }

  #where(start: number, typed: boolean): Pick<Place, "kind" | "path" | "flow" | "indent"> | undefined {
    const top = this.#top;
    if (top?.flow) {
      if (top.valued && !typed && (top.kind === "list" || top.key !== undefined)) return undefined;
      if (top.kind === "mapping" && top.key === undefined) return { kind: "key", path: top.path, flow: true };
      return { kind: "value", path: valuePath(top), flow: true };
    }
    const column = start - this.#line;
    const isLineStart = this.#text.slice(this.#line, start).trim() === "";
    if (!isLineStart) {
      const isAfterKey = top !== undefined && top.line === this.#line && (typed || !top.valued);
      return isAfterKey ? { kind: "value", path: valuePath(top), flow: false } : undefined;
    }
    this.#closeTo(column);
    const block = this.#top;
    if (!block) return { kind: "key", path: [], flow: false, indent: column };
    if (block.kind === "mapping" && block.column === column)
      return { kind: "key", path: block.path, flow: false, indent: column };
    if (block.column < column && block.key !== undefined && (typed || !block.valued))
      return { kind: "key", path: valuePath(block), flow: false, indent: column };
    return undefined;
  }
}

/** Path of the value after a frame's last colon, dash or comma. */
function valuePath(frame: Frame | undefined): Path {
  if (!frame) return [];
  return [...frame.path, frame.kind === "list" ? frame.index : (frame.key ?? "")];
}

const unquoted = (text: string): string => /^(["'])(.*)\1$/s.exec(text)?.[2] ?? text;
