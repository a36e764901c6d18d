import { expertOf, type Routed, type Shown } from "../../server/protocol/routed.ts";

/** Line and character, from 0, of a token's start and end. */
export type TokenPlace = readonly [startLine: number, startCharacter: number, endLine: number, endCharacter: number];

/**
 * Places of each expert's tokens in a text, [expert][token], in one pass over text and tokens. Lines end at "\n",
 * "\r\n" or "\r", as in the editor. Empty tokens are left out.
 */
export function placesByExpert(text: string, { experts, k, tokens }: Routed, shown: Shown): TokenPlace[][] {
  const places: TokenPlace[][] = experts.map(() => []);
  const place = placeIn(text);
  for (const token of tokens) {
    const end = Math.min(token.end, text.length);
    const expert = expertOf(token, shown, k);
    if (expert === undefined || token.start >= end) continue;
    const [startLine, startCharacter] = place(token.start);
    places[expert]?.push([startLine, startCharacter, ...place(end)]);
  }
  return places;
}

/** Converts offsets, given in ascending order, to line and character. */
function placeIn(text: string): (offset: number) => [line: number, character: number] {
  let [line, lineStart, at] = [0, 0, 0];
  return (offset) => {
    for (; at < offset; at++) {
      const code = text.charCodeAt(at);
      const ends = code === 10 || (code === 13 && text.charCodeAt(at + 1) !== 10);
      if (!ends) continue;
      line++;
      lineStart = at + 1;
    }
    return [line, offset - lineStart];
  };
}
