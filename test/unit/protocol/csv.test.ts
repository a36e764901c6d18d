import { expect, it } from "vitest";
import { csvCell, csvRow } from "../../../server/protocol/csv.ts";

it("quotes what would end a cell or a row, and doubles quotes", () => {
  expect(csvRow(["a", "b,c", 'say "hi"', "two\nlines", 0.1, undefined])).toBe(
    'a,"b,c","say ""hi""","two\nlines",0.1,\r\n',
  );
});

it("puts an apostrophe before a text that a spreadsheet would take for a formula", () => {
  for (const text of ["=1+1", "+A1", "-A1", "@SUM(A1)", "\tx", "-", "+1-2"]) expect(csvCell(text)).toBe(`'${text}`);
  expect(csvCell("\r=1")).toBe(`"'\r=1"`);
  expect(csvCell('=HYPERLINK("x")')).toBe(`"'=HYPERLINK(""x"")"`);
});

it("leaves numbers as they are, written as text or not", () => {
  for (const text of ["-1", "+2.5", "-.5e-3", "-1E+9", "1-2", ""]) expect(csvCell(text)).toBe(text);
  expect([csvCell(-1.5), csvCell(Number.NEGATIVE_INFINITY)]).toEqual(["-1.5", "-Infinity"]);
});
