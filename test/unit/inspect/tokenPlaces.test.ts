import { describe, expect, test } from "vitest";
import { loadTokenizer } from "../../../server/data/tokenizers/load.ts";
import type { Tokenizer } from "../../../server/data/tokenizers/tokenizer.ts";
import { tokenPlaces } from "../../../server/inspect/tokenPlaces.ts";
import { tokenizerFolder } from "../stages/support.ts";

const bytes = await loadTokenizer(tokenizerFolder());
const merged = await loadTokenizer(
  tokenizerFolder([
    ["t", "h"],
    ["th", "e"],
    ["Ġ", "the"],
    ["Ã", "¤"],
    ["l", "Ã"],
  ]),
);

const cut = (text: string, tokenizer: Tokenizer): string[] =>
  tokenPlaces(text, tokenizer.encode(text), tokenizer).map(({ start, end }) => text.slice(start, end));

const texts = [
  "",
  "the other the",
  "Zwölf 🥊🥊 Äpfel\n",
  "漢字かな交じり",
  "a\u0301 e\u0301",
  "\ud800 alone \udc00",
  "🏳️‍🌈the",
];

describe.each([
  ["bytes", bytes],
  ["merges", merged],
])("with a tokenizer of %s", (_, tokenizer) => {
  test.each(texts)("places tile %j", (text) => {
    const ids = tokenizer.encode(text);
    const places = tokenPlaces(text, ids, tokenizer);
    expect(places).toHaveLength(ids.length);
    let at = 0;
    for (const { start, end } of places) {
      expect(start).toBe(at);
      expect(end).toBeGreaterThanOrEqual(start);
      at = end;
    }
    expect(at).toBe(text.length);
  });

  test.each(texts)("a character of %j is in the token that has its first byte", (text) => {
    const ids = tokenizer.encode(text);
    const places = tokenPlaces(text, ids, tokenizer);
    // Which token each byte is in, counted one by one.
    const tokenOfByte = [...ids].flatMap((id, token) => Array<number>(tokenizer.byteLength(id)).fill(token));
    let [byte, unit] = [0, 0];
    for (const character of text) {
      const token = tokenOfByte[byte]!;
      expect(places[token]!.start).toBeLessThanOrEqual(unit);
      expect(places[token]!.end).toBeGreaterThanOrEqual(unit + character.length);
      byte += Buffer.byteLength(character);
      unit += character.length;
    }
  });
});

test("tokens are their pieces of the text, and what goes on with a character is empty", () => {
  expect(cut("the ä", bytes)).toEqual(["t", "h", "e", " ", "ä", ""]);
  expect(cut("the ä the", merged)).toEqual(["the", " ", "ä", " the"]);
  expect(cut("🥊!", bytes)).toEqual(["🥊", "", "", "", "!"]);
});

test("a tokenizer that changes what it reads is followed by its tokens' texts", () => {
  const words = ["one", "two", "#", "three"];
  const lossy: Tokenizer = {
    vocab: 4,
    endOfText: 9,
    encode: () => Int32Array.of(0, 1, 2, 3),
    decode: (ids) => Array.from(ids, (id) => words[id]).join(" "),
    byteLength: (id) => words[id]!.length,
  };
  expect(cut("one   two, three  ", lossy)).toEqual(["one", "   two", "", ", three  "]);
});
