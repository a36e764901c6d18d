import { describe, expect, test } from "vitest";
import { placesByExpert } from "../../../extension/routing/places.ts";
import type { RoutedText } from "../../../server/protocol/inspect.ts";
import { expertOf, type Routed, routedFrom, shares, tokenAt } from "../../../server/protocol/routed.ts";

const answer: RoutedText = {
  layers: [1, 3],
  experts: [{ name: "code", color: "one" }, { name: "math", color: "two" }, { name: "seed" }],
  k: 2,
  tokens: [
    { start: 0, end: 3 },
    { start: 3, end: 4 },
    { start: 4, end: 7 },
  ],
  // [layer, token, k]
  chosen: [0, 1, 1, 0, 2, -1, 1, 2, 1, 2, 2, 0],
  gates: [0.6, 0.4, 0.7, 0.3, 1, 0, 0.9, 0.1, 0.8, 0.2, 0.75, 0.25],
  surprise: [null, 1.5, 0.25],
  predicted: ["a", "b", ""],
};
const routed = routedFrom(answer, 10);

describe("routed tokens", () => {
  test("have the choices of every layer and are where their text is in the document", () => {
    expect(routed.tokens).toEqual([
      { start: 10, end: 13, chosen: [0, 1, 1, 2], gates: [0.6, 0.4, 0.9, 0.1], surprise: null },
      { start: 13, end: 14, chosen: [1, 0, 1, 2], gates: [0.7, 0.3, 0.8, 0.2], surprise: 1.5 },
      { start: 14, end: 17, chosen: [2, -1, 2, 0], gates: [1, 0, 0.75, 0.25], surprise: 0.25 },
    ]);
  });

  test("are coloured by the largest gate of a layer, or by the largest sum over all", () => {
    const [first, second, third] = routed.tokens;
    expect([first, second, third].map((token) => expertOf(token!, 0, 2))).toEqual([0, 1, 2]);
    expect([first, second, third].map((token) => expertOf(token!, 1, 2))).toEqual([1, 1, 2]);
    // 0: 0.6; 1: 0.4 + 0.9; 2: 0.1
    expect([first, second, third].map((token) => expertOf(token!, "all", 2))).toEqual([1, 1, 2]);
  });

  test("have the lower of two experts with equal sums, and none where none was chosen", () => {
    expect(expertOf({ ...routed.tokens[0]!, chosen: [2, 0], gates: [0.5, 0.5] }, "all", 1)).toBe(0);
    expect(expertOf({ ...routed.tokens[0]!, chosen: [-1, -1], gates: [0, 0] }, "all", 1)).toBeUndefined();
    expect(expertOf({ ...routed.tokens[0]!, chosen: [], gates: [] }, "all", 0)).toBeUndefined();
  });

  test("are counted by expert as shares of all tokens", () => {
    expect(shares(routed, 0)).toEqual([1 / 3, 1 / 3, 1 / 3]);
    expect(shares(routed, "all")).toEqual([0, 2 / 3, 1 / 3]);
    expect(shares({ ...routed, tokens: [] }, "all")).toEqual([0, 0, 0]);
  });

  test("are found by an offset, also beside empty ones and in gaps", () => {
    const at = (start: number, end: number) => ({ ...routed.tokens[0]!, start, end });
    const tokens = [at(2, 4), at(4, 4), at(4, 6), at(9, 10)];
    for (let offset = 0; offset < 12; offset++) {
      const slow = tokens.find(({ start, end }) => start <= offset && offset < end);
      expect(tokenAt(tokens, offset)).toBe(slow);
    }
  });
});

describe("places of tokens", () => {
  const lineEnds = ["\n", "\r\n", "\r"];

  test("are lines and characters by expert, whatever ends the lines", () => {
    const pieces = lineEnds.flatMap((end) => ["ab", "c", end, `d${end}`, "😀", ""]);
    const text = pieces.join("");
    let start = 0;
    const tokens = pieces.map((piece, i) => {
      start += piece.length;
      return { start: start - piece.length, end: start, chosen: [i % 3], gates: [1], surprise: 0 };
    });
    const one: Routed = { ...routed, layers: [0], k: 1, tokens };
    /** Line and character by splitting what is before. */
    const slow = (offset: number) => {
      const lines = text.slice(0, offset).split(/\r\n|\n|\r(?!\n)/);
      return [lines.length - 1, lines.at(-1)!.length];
    };
    const expected = [0, 1, 2].map((expert) =>
      tokens
        .filter((token) => token.chosen[0] === expert && token.end > token.start)
        .map((token) => [...slow(token.start), ...slow(token.end)]),
    );
    expect(placesByExpert(text, one, 0)).toEqual(expected);
  });

  test("end with the text, where tokens have come that it does not have yet", () => {
    const tokens = [0, 2, 4].map((start) => ({ start, end: start + 2, chosen: [0], gates: [1], surprise: 0 }));
    expect(placesByExpert("abc", { ...routed, k: 1, tokens }, 0)).toEqual([
      [
        [0, 0, 0, 2],
        [0, 2, 0, 3],
      ],
      [],
      [],
    ]);
  });
});
