import { describe, expect, it } from "vitest";
import { placeAt } from "../../../server/language/place.ts";

/** Where the cursor at `|` is: "key of model, la" or "value of mix.router.type". */
function where(marked: string): string | undefined {
  const at = marked.indexOf("|");
  const place = placeAt(marked.slice(0, at) + marked.slice(at + 1), at);
  return place && `${place.kind} of ${place.path.join(".")}, ${place.prefix}`;
}

describe("the place of the cursor", () => {
  it.each([
    ["|", "key of , "],
    ["mo|", "key of , mo"],
    ["model:\n  lay|", "key of model, lay"],
    ["model:\n  layers: 4\n  |", "key of model, "],
    ["model:\n  layers: 4\n  la|y: 3\n", "key of model, la"],
    ["model:\n  layers: 4\nco|", "key of , co"],
    ["model:\n\n\n  |\nseed: 1", "key of model, "],
    ["model:\r\n  layers: 4\r\n  la|", "key of model, la"],
    ["domains:\n  code:\n    |", "key of domains.code, "],
    ["domains:\n  a:\n    files: x\n  |\nseed: {}", "key of domains, "],
    ["compare:\n- a\nfo|", "key of , fo"],
  ])("is a key in a block: %j", (text, place) => {
    expect(where(text)).toBe(place);
  });

  it.each([
    ["model: {layers: 4, hi|}", "key of model, hi"],
    ["model: {|", "key of model, "],
    ["seed: {tokens: 1M, mixture: {co|: 1}}", "key of seed.mixture, co"],
    ["mix: {experts: [a, b], |", "key of mix, "],
    ["mix: {router: {k: 2},\n  |", "key of mix, "],
    ['model: {"la|": 4}', "key of model, la"],
  ])("is a key in brackets: %j", (text, place) => {
    expect(where(text)).toBe(place);
  });

  it.each([
    ["model: {layers: |}", "value of model.layers, "],
    ["mix: {router: {type: to|}}", "value of mix.router.type, to"],
    ["mix:\n  router:\n    type: |\n", "value of mix.router.type, "],
    ["mix: {experts: [a, b|]}", "value of mix.experts.1, b"],
    ["mix:\n  experts: [code,\n   pro|", "value of mix.experts.1, pro"],
    ["domains:\n  code:\n    files:\n      - a\n      - b|\n", "value of domains.code.files.1, b"],
    ['domains:\n  code:\n    files: "a/|"\n', "value of domains.code.files, a/"],
    ["compare:\n- |", "value of compare.0, "],
    ["compare: [a, |", "value of compare.1, "],
  ])("is a value: %j", (text, place) => {
    expect(where(text)).toBe(place);
  });

  it.each([
    ["# co|"],
    ["a: b # c|"],
    ["a: 1 |"],
    ["compare: [a |"],
    ["a: >\n  te|"],
    ["a: 'b'|"],
    ["a\u0000b|"],
  ])("is nowhere: %j", (text) => {
    expect(where(text)).toBeUndefined();
  });

  it("tells what a completion replaces and whether a colon follows", () => {
    expect(placeAt("model: {lay_ers: 4}", 11)).toMatchObject({ span: { start: 8, end: 15 }, colon: true, flow: true });
    expect(placeAt('a: "x/y z"', 6)).toMatchObject({ span: { start: 4, end: 9 }, quote: '"', colon: false });
    expect(placeAt("model:\n  la", 11)).toMatchObject({ indent: 2, span: { start: 9, end: 11 }, flow: false });
  });
});
