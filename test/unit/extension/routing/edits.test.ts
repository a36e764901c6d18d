import { describe, expect, test } from "vitest";
import { type Edit, moved, stretched } from "../../../../extension/routing/edits.ts";

/** The text after edits, whose offsets refer to the text before them. */
function edited(text: string, edits: readonly Edit[]): string {
  let after = text;
  for (const { rangeOffset, rangeLength, text: brought } of edits.toSorted((a, b) => b.rangeOffset - a.rangeOffset))
    after = after.slice(0, rangeOffset) + brought + after.slice(rangeOffset + rangeLength);
  return after;
}

const text = "abcdefghijkl";
/** One token for every two letters. */
const tokens = Array.from({ length: 6 }, (_, i) => ({ start: 2 * i, end: 2 * i + 2 }));
const cuts = (token: { start: number; end: number }, { rangeOffset, rangeLength }: Edit) =>
  rangeOffset < token.end && rangeOffset + rangeLength > token.start;

/** Every edit of the text, and some pairs of them. */
const single: Edit[][] = [];
for (let rangeOffset = 0; rangeOffset <= text.length; rangeOffset++)
  for (let rangeLength = 0; rangeOffset + rangeLength <= text.length; rangeLength++)
    for (const brought of ["", "X", "XYZ"]) single.push([{ rangeOffset, rangeLength, text: brought }]);
const pairs: Edit[][] = [];
for (const [a] of single)
  for (const [b] of single)
    if (a!.rangeOffset + a!.rangeLength < b!.rangeOffset && (a!.rangeOffset + b!.rangeOffset) % 5 === 0)
      pairs.push([b!, a!]);

describe("tokens after edits", () => {
  test("have the same text as before, unless an edit cuts into them", () => {
    for (const edits of [...single, ...pairs]) {
      const after = edited(text, edits);
      const kept = tokens.filter((token) => !edits.some((edit) => cuts(token, edit)));
      const inside = (token: { start: number; end: number }) => kept.includes(token);
      const given = moved(tokens, edits).map(({ start, end }) => after.slice(start, end));
      expect(given, JSON.stringify(edits)).toEqual(
        tokens.filter(inside).map(({ start, end }) => text.slice(start, end)),
      );
    }
  });
});

describe("a range that follows edits", () => {
  test("keeps its neighbours, and includes text inserted in it and at its ends", () => {
    const [start, end] = [4, 8];
    for (const edits of single) {
      const [edit] = edits as [Edit];
      const last = edit.rangeOffset + edit.rangeLength;
      // The text left before and behind the range; an edit that covers an edge of the range adds its text to it.
      const before = edited(text, edits).slice(0, Math.min(start, edit.rangeOffset));
      const isBefore = last < start || (last === start && edit.rangeLength > 0);
      const front = isBefore ? start + edit.text.length - edit.rangeLength : before.length;
      const isBehind = edit.rangeOffset > end;
      const behind = isBehind
        ? text.length - end + edit.text.length - edit.rangeLength
        : text.length - Math.max(end, last);
      const after = edited(text, edits);
      const expected = { start: front, end: isBefore ? end + after.length - text.length : after.length - behind };
      expect(stretched({ start, end }, edits), JSON.stringify(edit)).toEqual(expected);
    }
  });
});
