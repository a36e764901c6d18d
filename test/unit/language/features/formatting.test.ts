import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { exampleExperiment } from "../../../../server/experiment/reference.ts";
import { formatting } from "../../../../server/language/features/formatting.ts";
import { edited, opened } from "../support.ts";

const formatted = (text: string, width = 2): string => {
  const snapshot = opened(text);
  return edited(snapshot, formatting(snapshot, width));
};
const example = (name: string) => readFileSync(new URL(`../../../../examples/${name}`, import.meta.url), "utf8");

describe("formatting", () => {
  it("leaves the examples' columns as they are", () => {
    expect(formatted(exampleExperiment)).toBe(exampleExperiment);
    expect(formatted(example("demo.btx.yaml"))).toBe(example("demo.btx.yaml"));
  });

  it("makes indentation and spacing even, and keeps comments", () => {
    const text = `domains:
    code:   
        # why
        files: [ a ,b,  c ]   # x
        tokens:   5k
    prose: {files : x,tokens :  4k}
# end
mix:
      experts:
      - code
      -   prose
      router:
            k: 2


`;
    expect(formatted(text)).toBe(`domains:
  code:
    # why
    files: [a, b, c]   # x
    tokens: 5k
  prose: {files: x, tokens: 4k}
# end
mix:
  experts:
    - code
    - prose
  router:
    k: 2
`);
    expect(formatted("a:\n  b:\n    c: 1\n", 4)).toBe("a:\n    b:\n        c: 1\n");
  });

  it("moves what goes on over several lines with its first line", () => {
    expect(formatted("a:\n    b: {c: 1,\n        d: 2}\n    e: |\n      text  \n\n      more\n")).toBe(
      "a:\n  b: {c: 1,\n      d: 2}\n  e: |\n    text  \n\n    more\n",
    );
  });

  it("keeps the ends of lines that the text has", () => {
    expect(formatted("a:\r\n    b: 1  \r\n\r\n")).toBe("a:\r\n  b: 1\r\n");
    expect(formatted("a: 1")).toBe("a: 1\n");
  });

  it.each([
    ["does not parse", "a: {b: 1\nc:   2\n"],
    ["has tabs", "a:   1\t# x\n"],
    ["is empty", ""],
    ["would mean something else", "a: |+\n  x\n\n\n"],
  ])("leaves alone what %s", (_, text) => {
    expect(formatting(opened(text), 2)).toEqual([]);
  });

  it("changes no value and no comment, and nothing when done again, whatever the white space was", () => {
    let state = 1;
    const random = () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state / 2 ** 32;
    };
    const spaces = () => " ".repeat(1 + Math.floor(random() * 4));
    let changed = 0;
    for (let round = 0; round < 200; round++) {
      const text = example(round % 2 ? "demo.btx.yaml" : "smoke.btx.yaml")
        .replace(/(?<=[:,]) +/g, spaces)
        .replace(/(?<=[{[])/g, () => (random() < 0.3 ? spaces() : ""))
        .replace(/^( +)/gm, (indent) => indent.repeat(1 + (round % 3)))
        .replace(/$/gm, () => (random() < 0.2 ? spaces() : ""));
      const once = formatted(text);
      expect(parse(once), text).toEqual(parse(text));
      expect(once.match(/(?:^| )# .*/gm)?.map((comment) => comment.trim())).toEqual(
        text.match(/(?:^| )# .*/gm)?.map((comment) => comment.trim()),
      );
      expect(formatted(once), text).toBe(once);
      changed += once === text ? 0 : 1;
    }
    expect(changed).toBeGreaterThan(150);
  });
});
