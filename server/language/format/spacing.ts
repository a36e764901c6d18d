import { CST, Lexer } from "yaml";
import { type Edit, type Entry, entriesOf } from "../syntax.ts";

type TokenType = CST.TokenType | "scalar" | null;
export interface Lexed {
  type: TokenType;
  source: string;
  start: number;
}

/** The tokens of a text with their offsets; joined, they are the text. */
export function tokensOf(text: string): Lexed[] {
  const tokens: Lexed[] = [];
  let start = 0;
  let isScalar = false;
  for (const source of new Lexer().lex(text)) {
    if (source === CST.SCALAR || source === CST.DOCUMENT || source === CST.FLOW_END) {
      isScalar = source === CST.SCALAR;
      continue;
    }
    tokens.push({ type: isScalar ? "scalar" : CST.tokenType(source), source, start });
    isScalar = false;
    start += source.length;
  }
  return tokens;
}

const opening = new Set<TokenType>(["flow-map-start", "flow-seq-start"]);
const closing = new Set<TokenType>(["flow-map-end", "flow-seq-end"]);

/**
 * Edits of the white space within lines: one space after colons, dashes and commas, none inside brackets and at the
 * ends of lines. Aligned values of a mapping stay aligned.
 */
export function spacing(tokens: readonly Lexed[], root: Entry): Edit[] {
  const aligned = alignedValues(tokens, root);
  const edits: Edit[] = [];
  let depth = 0;
  for (let i = 0; i < tokens.length; i++) {
    const { type, source, start } = tokens[i]!;
    const before = tokens[i - 1]?.type ?? null;
    const after = tokens[i + 1]?.type ?? null;
    if (opening.has(type)) depth++;
    if (closing.has(type)) depth--;
    const end = start + source.length;
    if (type === "space") {
      const isIndent = before === null || before === "newline";
      const text = isIndent ? source : spaceBetween(before, after, depth > 0, source, aligned.has(start));
      if (text !== source) edits.push({ start, end, text });
    } else if (type === "comment") {
      const text = source.trimEnd();
      if (text !== source) edits.push({ start: start + text.length, end, text: "" });
    } else if (depth > 0 && (type === "comma" || type === "map-value-ind") && wantsSpace(after))
      edits.push({ start: end, end, text: " " });
  }
  return edits;
}

const wantsSpace = (after: TokenType): boolean =>
  after !== null && after !== "space" && after !== "newline" && after !== "comma" && !closing.has(after);

function spaceBetween(before: TokenType, after: TokenType, flow: boolean, source: string, isAligned: boolean): string {
  if (after === null || after === "newline") return "";
  if (after === "comment" || source.includes("\t")) return source;
  if (before === "seq-item-ind") return " ";
  if (!flow) return before === "map-value-ind" && !isAligned ? " " : source;
  if (closing.has(after) || after === "comma" || after === "map-value-ind" || opening.has(before)) return "";
  return before === "comma" || before === "map-value-ind" ? " " : source;
}

/**
 * Offsets where the white space before aligned values begins: values in the same column as another value of their
 * mapping.
 */
function alignedValues(tokens: readonly Lexed[], root: Entry): Set<number> {
  const mappings = new Map<number, Entry>();
  for (const entry of entriesOf(root)) {
    const { value } = entry;
    if (value?.kind !== "mapping" || value.flow) continue;
    for (const { key } of entry.children) if (key) mappings.set(key.start, entry);
  }
  const columns = new Map<Entry, Map<number, number[]>>();
  let key = 0;
  for (let i = 0; i < tokens.length; i++) {
    const { type, source, start } = tokens[i]!;
    if (type === "map-value-ind") continue;
    if (type !== "space" || tokens[i - 1]?.type !== "map-value-ind") {
      if (type !== "space") key = start;
      continue;
    }
    const mapping = mappings.get(key);
    if (!mapping || tokens[i + 1]?.type === "newline") continue;
    const column = start + source.length - key;
    const places = columns.get(mapping) ?? new Map<number, number[]>();
    columns.set(mapping, places);
    const starts = places.get(column);
    if (starts) starts.push(start);
    else places.set(column, [start]);
  }
  const groups = [...columns.values()].flatMap((places) => [...places.values()]);
  return new Set(groups.filter((starts) => starts.length > 1).flat());
}
