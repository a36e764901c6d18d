import { isAlias, isMap, isScalar, isSeq, type Node, type Scalar } from "yaml";
import type { Path } from "../experiment/problem.ts";
import { maxCharacters, yamlDocument } from "../experiment/source.ts";

/** A range of a text, in UTF-16 units; `end` is exclusive. */
export interface Span {
  start: number;
  end: number;
}

/** A change of a text: the replacement for a range. */
export interface Edit extends Span {
  text: string;
}

/** A key or a scalar value. */
export interface Token extends Span {
  /** Its text, without quotes. */
  text: string;
  /** The range of that text, between the quotes if there are any. */
  inner: Span;
  quote?: '"' | "'";
}

export interface ScalarValue extends Token {
  kind: "scalar";
  /** As YAML reads it: text, a number, true, null. */
  data: unknown;
  /** A block scalar, after `|` or `>`. */
  block: boolean;
}

export interface Collection extends Span {
  kind: "mapping" | "list";
  /** In brackets. */
  flow: boolean;
}

export type Value = ScalarValue | Collection | (Span & { kind: "alias" });

/** A key with its value, or an item of a list. */
export interface Entry {
  path: Path;
  /** From the key to the end of the value. */
  span: Span;
  /** Absent: an item of a list, or the whole file. */
  key?: Token;
  /** Absent: no value. */
  value?: Value;
  children: Entry[];
}

const maxDepth = 32;

/**
 * The tree of the readable part of a YAML text: in a text with mistakes, everything around them. Keys that are not
 * names are omitted; aliases are not followed. Never throws.
 */
export function readSyntax(text: string): Entry {
  const root: Entry = { path: [], span: { start: 0, end: text.length }, children: [] };
  if (text.length > maxCharacters) return root;
  try {
    new Reader(text).read(root, yamlDocument(text).document.contents as Node | null);
  } catch {
    // The library recurses, so a text that is nested a thousand deep has no tree.
    root.children = [];
  }
  return root;
}

class Reader {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** Reads the value of an entry, and its children. */
  read(entry: Entry, node: Node | null): void {
    if (!node?.range || entry.path.length > maxDepth) return;
    const span = this.#span(node.range[0], node.range[1]);
    if (isScalar(node)) {
      if (span.start === span.end) return;
      const block = node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED";
      entry.value = { kind: "scalar", ...this.#token(node, span), data: node.value, block };
    } else if (isAlias(node)) entry.value = { kind: "alias", ...span };
    else if (isMap(node) || isSeq(node)) {
      const kind = isMap(node) ? "mapping" : "list";
      const flow = node.flow === true;
      if (isMap(node)) for (const { key, value } of node.items) this.#pair(entry, key, value as Node | null);
      else for (const [i, item] of node.items.entries()) this.#item(entry, i, item as Node);
      // A block's own range includes the empty lines and comments after it.
      const end = flow ? span.end : Math.max(span.start, entry.children.at(-1)?.span.end ?? span.start);
      entry.value = { kind, flow, start: span.start, end };
    }
    if (entry.path.length > 0) entry.span.end = Math.max(entry.span.end, entry.value?.end ?? 0);
  }

  #pair(parent: Entry, key: unknown, value: Node | null): void {
    if (!isScalar(key) || !key.range || key.value === null) return;
    const token = this.#token(key, this.#span(key.range[0], key.range[1]));
    const span = { start: token.start, end: token.end };
    const child: Entry = { path: [...parent.path, String(key.value)], span, key: token, children: [] };
    parent.children.push(child);
    this.read(child, value);
  }

  #item(parent: Entry, index: number, item: Node): void {
    if (!item?.range) return;
    const { start } = this.#span(item.range[0], item.range[0]);
    const child: Entry = { path: [...parent.path, index], span: { start, end: start }, children: [] };
    parent.children.push(child);
    this.read(child, item);
  }

  #token(node: Scalar, span: Span): Token {
    const quote = node.type === "QUOTE_DOUBLE" ? '"' : node.type === "QUOTE_SINGLE" ? "'" : undefined;
    const closed = quote && span.end - span.start >= 2 && this.#text[span.end - 1] === quote;
    const inner = quote ? { start: span.start + 1, end: closed ? span.end - 1 : span.end } : span;
    return { ...span, text: quote ? String(node.value) : (node.source ?? ""), inner, ...(quote ? { quote } : {}) };
  }

  /** A range limited to the text, without trailing white space. */
  #span(from: number, to: number): Span {
    const start = Math.min(from, this.#text.length);
    let end = Math.min(Math.max(start, to), this.#text.length);
    while (end > start && /\s/.test(this.#text[end - 1]!)) end--;
    return { start, end };
  }
}

/** An entry and all below it, in the order of the text. */
export function* entriesOf(entry: Entry): Generator<Entry> {
  yield entry;
  for (const child of entry.children) yield* entriesOf(child);
}

/** The first entry at a path, relative to that of `root`. */
export function entryAt(root: Entry, path: Path): Entry | undefined {
  let entry: Entry | undefined = root;
  for (const part of path) entry = entry?.children.find((child) => child.path.at(-1) === part);
  return entry;
}

/** The innermost entry at an offset, end included; the root if there is no other. */
export function innermostEntry(root: Entry, offset: number): Entry {
  const child = root.children.find(({ span }) => touches(span, offset));
  return child ? innermostEntry(child, offset) : root;
}

/** Whether an offset is in a range or at one of its ends. */
export const touches = (span: Span | undefined, offset: number): boolean =>
  span !== undefined && span.start <= offset && offset <= span.end;
