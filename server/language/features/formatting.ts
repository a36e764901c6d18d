import type { TextEdit } from "vscode-languageserver";
import { readSource } from "../../experiment/source.ts";
import { indentation } from "../format/indentation.ts";
import { type Line, lineAt, linesOf } from "../format/lines.ts";
import { type Lexed, spacing, tokensOf } from "../format/spacing.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Edit, type Entry, entriesOf } from "../syntax.ts";

/**
 * Edits that make indentation and spacing consistent and end the text with one newline. They change only white space; a
 * text that does not parse, or would change its meaning, is left unchanged.
 * @param width columns of indentation per level
 */
export function formatting(snapshot: Snapshot, width: number): TextEdit[] {
  const { text } = snapshot;
  if (text.includes("\t")) return [];
  const [lines, tokens] = [linesOf(text), tokensOf(text)];
  const formatted = formattedLines(snapshot, lines, tokens, Math.min(8, Math.max(2, width)));
  const result = lines.map(({ ending }, i) => formatted[i]! + ending).join("");
  const trimmed = `${result.trimEnd()}${lines.length > 1 ? lines[0]!.ending : "\n"}`;
  if (trimmed === text) return [];
  const { value } = readSource(text);
  if (value === undefined || !sameMeaning(trimmed, value, tokens)) return [];
  return lineEdits(snapshot, lines, linesOf(trimmed));
}

function formattedLines({ text, syntax }: Snapshot, lines: Line[], tokens: Lexed[], width: number): string[] {
  const indents = indentation(text, syntax, lines, width);
  const edits = spacing(tokens, syntax);
  const verbatim = verbatimLines(syntax, lines);
  let next = 0;
  return lines.map((line, i) => {
    const own: Edit[] = [];
    while (next < edits.length && edits[next]!.start <= line.start + line.text.length) own.push(edits[next++]!);
    const content = applied(line, own);
    if (content.trim() === "") return verbatim.has(i) ? content : "";
    return " ".repeat(indents[i]!) + content.trimStart();
  });
}

/** A line with its edits, which do not overlap and are in order. */
function applied({ text, start }: Line, edits: readonly Edit[]): string {
  let [result, at] = ["", 0];
  for (const edit of edits) {
    result += text.slice(at, edit.start - start) + edit.text;
    at = edit.end - start;
  }
  return result + text.slice(at);
}

/** Lines inside multi-line strings. */
function verbatimLines(root: Entry, lines: readonly Line[]): Set<number> {
  const found = new Set<number>();
  for (const { value } of entriesOf(root)) {
    if (value?.kind !== "scalar") continue;
    const last = lineAt(lines, value.end);
    for (let line = lineAt(lines, value.start) + 1; line <= last; line++) found.add(line);
  }
  return found;
}

/** @param tokens of the text that has this value */
function sameMeaning(formatted: string, value: unknown, tokens: readonly Lexed[]): boolean {
  const comments = (of: readonly Lexed[]): string =>
    of.flatMap(({ type, source }) => (type === "comment" ? [source.trimEnd()] : [])).join("\n");
  if (comments(tokens) !== comments(tokensOf(formatted))) return false;
  return JSON.stringify(readSource(formatted).value) === JSON.stringify(value);
}

/** One edit per changed line; the last lines are one edit, because their number may change. */
function lineEdits(snapshot: Snapshot, before: readonly Line[], after: readonly Line[]): TextEdit[] {
  const { text } = snapshot;
  const common = Math.min(before.length, after.length) - 1;
  const edits: TextEdit[] = [];
  for (const [i, { start, text: line }] of before.slice(0, common).entries()) {
    const newText = after[i]!.text;
    if (newText !== line) edits.push({ range: snapshot.range({ start, end: start + line.length }), newText });
  }
  const { start } = before[common]!;
  const newText = after
    .slice(common)
    .map(({ text: line, ending }) => line + ending)
    .join("");
  if (newText !== text.slice(start)) edits.push({ range: snapshot.range({ start, end: text.length }), newText });
  return edits;
}
