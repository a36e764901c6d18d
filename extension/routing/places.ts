import { expertOf, type Routed, type Shown } from "../../server/protocol/routed.ts";

/** Line and character, from 0, of where a token begins and ends. */
export type Stretch = readonly [startLine: number, startCharacter: number, endLine: number, endCharacter: number];

/**
 * Where the tokens of every expert are in a text, [expert][token], in one pass over text and tokens. Lines end at "\n",
 * "\r\n" or "\r", as in the editor. Empty tokens have no place.
 */
export function placesByExpert(text: string, { experts, k, tokens }: Routed, shown: Shown): Stretch[][] {
  const places: Stretch[][] = experts.map(() => []);
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

/** Gives line and character of offsets that never go back. */
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
