import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { yamlText } from "../../../server/language/yamlText.ts";

describe("yamlText", () => {
  it("leaves plain what YAML reads as that text", () => {
    for (const text of ["code", "../a/**/*.md", "a b", "500k", "a#b", "C:x", "it's"])
      expect(yamlText(text, false)).toBe(text);
  });

  it("is read as the same text, whatever it is, in blocks and in brackets", () => {
    const texts = [
      "*.md",
      "!a",
      "&a",
      "- a",
      "a: b",
      "a #b",
      "null",
      "True",
      "1.5",
      "1e3",
      "0x1f",
      "~",
      "",
      " a",
      "a ",
    ];
    texts.push("a,b", "[a]", "{a}", 'a"b', "a\\b", "a\nb", "%a", "@a", "`a", "?", "-", ":", ".inf", "-1", "+2", "é");
    for (const text of texts) {
      expect(parse(`a: ${yamlText(text, false)}`), text).toEqual({ a: text });
      expect(parse(`a: [${yamlText(text, true)}, b]`), text).toEqual({ a: [text, "b"] });
    }
  });
});
