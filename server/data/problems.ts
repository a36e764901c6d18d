import type { Problem } from "../protocol/data.ts";
import type { Document } from "./corpus/document.ts";

/**
 * A document as a problem. The answer is what follows the last `marker`, up to the end of its line, trimmed. With a
 * template the prompt ends where the last field begins, and the marker must come after; in any other document the
 * prompt goes up to and including the marker. Undefined for a piece, and where there is no marker or nothing after it.
 */
export function problemOf({ text, promptEnd, piece }: Document, marker: string): Problem | undefined {
  if (piece) return undefined;
  const found = lineAfter(text.slice(promptEnd ?? 0), marker);
  if (!found || found.line.trim() === "") return undefined;
  const answer = found.line.trim();
  if (promptEnd === undefined) return { prompt: text.slice(0, found.start), solution: found.line, answer };
  const solution = text.slice(promptEnd, promptEnd + found.start + found.line.length);
  return { prompt: text.slice(0, promptEnd), solution, answer, marker };
}

/** The rest of the line after the last `marker`, where it begins, and whether a line end follows. */
export function lineAfter(
  text: string,
  marker: string,
): { start: number; line: string; finished: boolean } | undefined {
  const at = text.lastIndexOf(marker);
  if (at < 0) return undefined;
  const start = at + marker.length;
  const end = text.indexOf("\n", start);
  return { start, line: text.slice(start, end < 0 ? undefined : end), finished: end >= 0 };
}
