/** Moves places in a document along with edits. Independent of VS Code. */

/** An edit as VS Code reports it: `text` replaces `rangeLength` characters at `rangeOffset`. */
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
 * Moves places along with simultaneous edits, whose offsets refer to the document before them. Drops places that an
 * edit cuts into.
 *
 * @param places sorted by `start`, without overlaps.
 */
export function moved<T extends Place>(places: readonly T[], edits: readonly Edit[]): T[] {
  const inOrder = edits.toSorted((a, b) => a.rangeOffset - b.rangeOffset);
  const left: T[] = [];
  let next = 0;
  let shift = 0;
  for (const place of places) {
    // Edits that end before the place begins.
    for (; next < inOrder.length && endOf(inOrder[next]!) <= place.start; next++) shift += growth(inOrder[next]!);
    const edit = inOrder[next];
    if (edit && edit.rangeOffset < place.end) continue;
    left.push(shift === 0 ? place : { ...place, start: place.start + shift, end: place.end + shift });
  }
  return left;
}

/** Moves a range along with edits; it grows and shrinks with edits inside it and at its end. */
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
