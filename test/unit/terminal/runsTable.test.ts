import { describe, expect, it } from "vitest";
import { compareResults } from "../../../server/compare/compare.ts";
import { width } from "../../../server/terminal/ansi.ts";
import { runsTable } from "../../../server/terminal/runsTable.ts";
import { changing, type ResultsFixture, resultsFixture } from "../../fixtures/runs.ts";

const switched = changing("mix", (spec) => ({
  ...spec,
  router: { type: "switch", capacity: 1.5, loadBalance: 0.01 },
}));
const compared = (options: ResultsFixture = {}) =>
  compareResults([
    resultsFixture(options),
    resultsFixture({ ...options, randomSeed: 2, shift: 0.1 }),
    resultsFixture({ ...options, id: "20260305-000000", change: switched }),
  ]);
const table = (columns: number, options: ResultsFixture = {}) =>
  runsTable(compared(options), { color: false, columns }).split("\n");

describe("runsTable", () => {
  it("fits the columns it is given, with long names too", () => {
    const domains = ["typescript-declarations", "markdown-pages-of-packages", "math"];
    for (const columns of [80, 100, 200])
      for (const line of [...table(columns), ...table(columns, { domains })])
        expect(width(line), line).toBeLessThanOrEqual(columns);
  });

  it("begins with what is held equal, and lists the rows that have equal tokens and equal FLOPs", () => {
    const text = table(200).join("\n");
    expect(text).toMatch(
      /^Compared at equal tokens: rows marked = were trained on the same number of tokens beyond the seed as BTX \(router top-k\), 2M within 1 %; × is the ratio/,
    );
    expect(text).toContain(
      "Equal training tokens: BTX (router top-k); BTX (router switch); Dense; Sparse upcycling.\n",
    );
    expect(text).toContain("Equal training FLOPs: BTX (router top-k); BTX (router switch).\n");
  });

  it("has a line a model with its settings below, mean and deviation over seeds, and a mark against BTX", () => {
    const lines = table(200);
    const at = lines.findIndex((line) => line.startsWith("BTX "));
    expect(lines[at]).toMatch(/^BTX +=( +\d\.\d{3} ± 0\.071 \(2\)[*≈ ]){4}/);
    expect(lines[at + 1]).toBe("  router top-k");
    expect(lines[at + 2]).toMatch(/^BTX +=( +\d\.\d{3}[*≈ ] *){4}/);
    expect(lines[at + 3]).toBe("  router switch");
    expect(lines.find((line) => line.startsWith("Seed"))).toMatch(/^Seed +×0 /);
    expect(lines.find((line) => line.startsWith("BTM, Bayes"))).toMatch(/^BTM, Bayes +×0\.75 /);
  });

  it("marks a single best of a column with a star and rows that are level with ≈", () => {
    const [first, second, third] = [0, 0.3, 0.6].map((shift, at) => resultsFixture({ randomSeed: at, shift }));
    const lines = runsTable(compareResults([first!, second!, third!]), { color: false, columns: 200 }).split("\n");
    expect(lines.find((line) => line.startsWith("BTX"))).toMatch(/\(3\)\*/);
    expect(lines.find((line) => line.startsWith("Dense"))).toMatch(/\(3\)≈/);
    expect(lines.join("\n")).not.toContain("single random seed");
    expect(table(200).join("\n")).toContain("The noise of a model with a single random seed");
  });

  it("shows where the tokens of mixtures went", () => {
    const text = table(100).join("\n");
    expect(text).toMatch(
      /\nBTX \(router switch\): shares of routed tokens\nexpert +code +prose +math\n─+\ncode +\d+\.\d %/,
    );
    expect(text).toMatch(/\nlargest \d+\.\d % \(layer \d, \w+\), smallest \d+\.\d % \(layer \d, \w+\), even 25\.0 %\n/);
  });

  it("names runs without an evaluated model, says so where there is none at all, and lets nothing steer the terminal", () => {
    const begun = { ...resultsFixture({ id: "20260309-000000" }), records: new Map() };
    expect(runsTable(compareResults([resultsFixture(), begun]), { color: false })).toContain(
      "No evaluated model yet: 20260309-000000.",
    );
    expect(runsTable(compareResults([begun]), { color: false })).toBe(
      "No model of these runs has been evaluated yet.\n",
    );
    expect(table(80, { domains: ["\u001b[31mred", "b", "c"] }).join("")).not.toContain("\u001b");
  });
});
