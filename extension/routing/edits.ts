/** How places in a document move when it is edited. Knows nothing of VS Code. */

/** `length` characters at `offset` became `text`, as VS Code reports it. */
export interface Edit {
  rangeOffset: number;
  rangeLength: number;
  text: string;
}

interface Place {
  start: number;
  end: number;
}

/**
 * Moves things past simultaneous edits, given in offsets of the document before them. Things that an edit cuts into
 * are dropped; things after it shift.
 *
 * @param things sorted by `start`, without overlaps.
 */
export function moved<T extends Place>(things: readonly T[], edits: readonly Edit[]): T[] {
  const inOrder = edits.toSorted((a, b) => a.rangeOffset - b.rangeOffset);
  const left: T[] = [];
  let next = 0;
  let shift = 0;
  for (const thing of things) {
    // Edits that end before the thing begins.
    for (; next < inOrder.length && endOf(inOrder[next]!) <= thing.start; next++) shift += growth(inOrder[next]!);
    const edit = inOrder[next];
    if (edit && edit.rangeOffset < thing.end) continue;
    left.push(shift === 0 ? thing : { ...thing, start: thing.start + shift, end: thing.end + shift });
  }
  return left;
}

/** The same for a tracked range: it grows and shrinks with edits inside it and at its end. */
export function stretched({ start, end }: Place, edits: readonly Edit[]): Place {
  const after = { start, end };
  for (const edit of edits) {
    const last = endOf(edit);
    if (edit.rangeOffset > end) continue;
    if (last < start || (last === start && edit.rangeLength > 0)) {
      after.start += growth(edit);
      after.end += growth(edit);
      continue;
    }
    // Text removed before the range moves its start; inserted text belongs to the range.
    after.start -= Math.max(0, start - edit.rangeOffset);
    after.end += growth(edit) + Math.max(0, last - end);
  }
  return after;
}

const endOf = ({ rangeOffset, rangeLength }: Edit): number => rangeOffset + rangeLength;
const growth = ({ rangeLength, text }: Edit): number => text.length - rangeLength;
