import { type FoldingRange, FoldingRangeKind } from "vscode-languageserver";
import type { Snapshot } from "../snapshot.ts";
import { entriesOf } from "../syntax.ts";

/** Folds multi-line values of keys and multi-line comments. */
export function foldingRanges(snapshot: Snapshot): FoldingRange[] {
  const found = new Map<number, FoldingRange>();
  for (const { path, span } of entriesOf(snapshot.syntax)) {
    if (path.length === 0) continue;
    const [startLine, endLine] = [snapshot.position(span.start).line, snapshot.position(span.end).line];
    if (endLine > startLine && !found.has(startLine)) found.set(startLine, { startLine, endLine });
  }
  for (const fold of commentFolds(snapshot.text)) if (!found.has(fold.startLine)) found.set(fold.startLine, fold);
  return [...found.values()].sort((a, b) => a.startLine - b.startLine);
}

/** Two or more consecutive lines with only a comment. */
function commentFolds(text: string): FoldingRange[] {
  const folds: FoldingRange[] = [];
  let first = -1;
  const lines = [...text.split(/\r\n|\n|\r/), ""];
  for (const [line, content] of lines.entries()) {
    const isComment = /^\s*#/.test(content);
    if (isComment && first < 0) first = line;
    if (isComment || first < 0) continue;
    if (line - first > 1) folds.push({ startLine: first, endLine: line - 1, kind: FoldingRangeKind.Comment });
    first = -1;
  }
  return folds;
}
