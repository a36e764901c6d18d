import { describe, expect, it } from "vitest";
import {
  clean,
  cutEnd,
  cutMiddle,
  padEnd,
  padStart,
  styles,
  wantsColor,
  width,
  wrap,
} from "../../../server/terminal/ansi.ts";

describe("clean", () => {
  it("makes escape sequences visible instead of passing them to the terminal", () => {
    expect(clean("a\u001b[2Jb\u001b]0;title\u0007")).toBe("a␛[2Jb␛]0;title␇");
    expect(clean("\u009b31m red")).toBe("\ufffd31m red");
  });

  it("keeps a text on one line", () => {
    expect(clean("a\r\nb\tc\u2028d")).toBe("a␍␊b␉c\ufffdd");
  });

  it("removes characters that reorder or hide the text around them", () => {
    expect(clean("gpj.\u202eexe\u2066\u200b\ufeff")).toBe("gpj.\ufffdexe\ufffd\ufffd\ufffd");
    expect(clean("\ud800x\u007f")).toBe("\ufffdx␡");
  });

  it("leaves letters of every script and joined emoji as they are", () => {
    for (const text of ["naïve", "日本語", "Ελληνικά", "👩‍💻"]) expect(clean(text)).toBe(text);
  });
});

describe("width", () => {
  it("counts wide letters twice, combining marks and colours not at all", () => {
    expect(width("abc")).toBe(3);
    expect(width("日本")).toBe(4);
    expect(width("e\u0301")).toBe(1);
    expect(width("👩‍💻")).toBe(2);
    expect(width("\u001b[1mab\u001b[22m")).toBe(2);
  });
});

describe("cutting and padding", () => {
  it("cuts a text to the columns it is given and never beyond", () => {
    for (let columns = 0; columns < 12; columns++) {
      for (const text of ["typescript-source", "日本語のテキスト", "👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻👩‍💻"]) {
        expect(width(cutMiddle(text, columns))).toBeLessThanOrEqual(columns);
        expect(width(cutEnd(text, columns))).toBeLessThanOrEqual(columns);
      }
    }
  });

  it("keeps both ends of a name that is cut in the middle", () => {
    expect(cutMiddle("typescript-source", 9)).toBe("type…urce");
    expect(cutMiddle("short", 9)).toBe("short");
  });

  it("fills up to a width measured in columns", () => {
    expect(padEnd("日", 4)).toBe("日  ");
    expect(padStart("日", 4)).toBe("  日");
    expect(padStart("long", 2)).toBe("long");
  });
});

describe("wrap", () => {
  it("breaks between words, but not before a percent sign, and cuts a word that is too long", () => {
    expect(wrap("one two three", 8)).toEqual(["one two", "three"]);
    expect(wrap("even 16.7 %", 9)).toEqual(["even", "16.7 %"]);
    expect(wrap("a averyverylongword b", 8)).toEqual(["a", "aver…ord", "b"]);
    expect(wrap("  ", 8)).toEqual([]);
  });
});

describe("colour", () => {
  it("is off under NO_COLOR, in a dumb terminal and where there is no terminal", () => {
    expect(wantsColor(true, {})).toBe(true);
    expect(wantsColor(true, { NO_COLOR: "1", FORCE_COLOR: "1" })).toBe(false);
    expect(wantsColor(true, { TERM: "dumb" })).toBe(false);
    expect(wantsColor(false, {})).toBe(false);
    expect(wantsColor(false, { FORCE_COLOR: "1" })).toBe(true);
  });

  it("adds nothing to the text where it is off", () => {
    expect(styles(false).bold("x")).toBe("x");
    expect(styles(true).red("x")).toBe("\u001b[31mx\u001b[39m");
  });
});
