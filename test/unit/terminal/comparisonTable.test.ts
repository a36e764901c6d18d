import { describe, expect, it } from "vitest";
import { width } from "../../../server/terminal/ansi.ts";
import { comparisonTable } from "../../../server/terminal/comparisonTable.ts";
import { runFixture } from "../../fixtures/run.ts";

const linesOf = (domains: string[], color = false) =>
  comparisonTable(runFixture({ domains }).summary, { color }).split("\n");

describe("comparisonTable", () => {
  it("stays within 100 columns for three to five domains, long names included", () => {
    const names = ["typescript-declarations", "markdown-pages-of-packages", "math", "biology-abstracts", "law"];
    for (const count of [3, 4, 5]) {
      for (const line of linesOf(names.slice(0, count))) expect(width(line)).toBeLessThanOrEqual(100);
    }
  });

  it("names units and domains in its head and has one line a model", () => {
    const [units, heads, ...rest] = linesOf(["code", "prose", "math"]);
    expect(units).toMatch(/nats per token.*bits per byte.*exact match/);
    expect(heads).toMatch(/^model +code +prose +math +mean +mean +math$/);
    expect(rest.filter((line) => /^(Seed|Expert|Average|Mix|BTX|Dense|BTM|Sparse)/.test(line)).length).toBe(11);
  });

  it("aligns every value with the end of its head", () => {
    const lines = linesOf(["code", "prose", "math"]);
    const end = (lines[1]?.indexOf("code") ?? 0) + "code".length;
    const values = lines.filter((line) => /^(Seed|Dense|BTX)/.test(line));
    expect(values.length).toBe(3);
    for (const line of values) expect(line.slice(end - 5, end)).toMatch(/^\d\.\d{3}$/);
  });

  it("marks the best of each column with a star, without colour too", () => {
    const lines = linesOf(["code", "prose", "math"]);
    expect(lines.find((line) => line.startsWith("BTX"))?.match(/\*/g)?.length).toBe(6);
    expect(lines.filter((line) => line.includes("*")).length).toBe(2);
    expect(lines.join("")).not.toContain("\u001b");
    expect(linesOf(["code"], true).join("")).toContain("\u001b[1m");
  });

  it("puts the baselines below a rule", () => {
    const lines = linesOf(["code", "prose", "math"]);
    const rules = lines.flatMap((line, index) => (line.startsWith("─") ? [index] : []));
    expect(rules.length).toBe(2);
    expect(lines[(rules[1] ?? 0) - 1]).toMatch(/^BTX/);
    expect(lines[(rules[1] ?? 0) + 1]).toMatch(/^Dense/);
  });

  it("continues in further blocks where the domains do not fit", () => {
    const domains = Array.from({ length: 14 }, (_, index) => `domain-${index}`);
    const lines = linesOf(domains);
    expect(lines.filter((line) => line.startsWith("model")).length).toBeGreaterThan(1);
    for (const domain of domains) expect(lines.some((line) => line.includes(domain.slice(-3)))).toBe(true);
    for (const line of lines) expect(width(line)).toBeLessThanOrEqual(100);
  });

  it("cuts long names so that no two are alike", () => {
    const head = linesOf(["corpus-of-english-a-text", "corpus-of-english-b-text", "corpus-of-english-c-text"])[1] ?? "";
    const names = head.split(/ {2,}/).filter((name) => name.startsWith("corp"));
    expect(names.length).toBe(3);
    expect(new Set(names).size).toBe(3);
  });

  it("lets no control character of a name reach the terminal", () => {
    const text = comparisonTable(runFixture({ domains: ["\u001b[31mred", "a\nb"] }).summary, { color: false });
    expect(text).not.toContain("\u001b");
    expect(text).toContain("␛[31mred");
    expect(text.split("\n").filter((line) => line.startsWith("Expert")).length).toBe(2);
  });

  it("says so when nothing was evaluated", () => {
    const { summary } = runFixture();
    expect(comparisonTable({ ...summary, losses: {}, bitsPerByte: {}, exactMatch: {} }, { color: false })).toContain(
      "No model",
    );
  });
});
