import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";

/** Position of a token in a text: UTF-16 units, end exclusive. */
export interface Place {
  start: number;
  end: number;
}

/** How far past its expected place a token's text is searched for, UTF-16 units. */
const lookahead = 32;

/**
 * Places of a text's tokens. They tile the text: a character belongs to the token with its first byte, so a token that
 * only continues a character is empty. Where a tokenizer changes the text, tokens are placed by searching for their own
 * text.
 */
export function tokenPlaces(text: string, ids: ArrayLike<number>, tokenizer: Tokenizer): Place[] {
  const lengths = Array.from(ids, (id) => tokenizer.byteLength(id));
  const bytes = Buffer.byteLength(text);
  const spelled = lengths.reduce((sum, length) => sum + length, 0);
  if (spelled === bytes) return byBytes(text, lengths);
  return byTexts(
    text,
    Array.from(ids, (id) => tokenizer.decode([id])),
  );
}

function byBytes(text: string, lengths: number[]): Place[] {
  let [unit, byte, end] = [0, 0, 0];
  return lengths.map((length) => {
    const start = unit;
    end += length;
    // Characters whose first byte is before the token's end.
    while (byte < end && unit < text.length) {
      const code = text.codePointAt(unit)!;
      byte += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
      unit += code < 0x10000 ? 1 : 2;
    }
    return { start, end: unit };
  });
}

function byTexts(text: string, pieces: string[]): Place[] {
  let unit = 0;
  return pieces.map((piece, i) => {
    const start = unit;
    const trimmed = piece.trim();
    const found = text.slice(start, start + trimmed.length + lookahead).indexOf(trimmed);
    if (i === pieces.length - 1) unit = text.length;
    else if (found >= 0 && trimmed !== "") unit = start + found + trimmed.length;
    return { start, end: unit };
  });
}
