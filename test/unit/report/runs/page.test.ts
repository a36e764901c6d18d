import { describe, expect, it } from "vitest";
import { compareResults } from "../../../../server/compare/compare.ts";
import { renderComparison } from "../../../../server/report/runs/page.ts";
import { changing, resultsFixture } from "../../../fixtures/runs.ts";

const EVIL = `<script>alert(1)</script>"onload='x'&amp;`;
const count = (text: string, part: string | RegExp) => text.split(part).length - 1;
const switched = changing("mix", (spec) => ({
  ...spec,
  router: { type: "switch", capacity: 1.5, loadBalance: 0.01 },
}));
const runs = [
  ...[0, 0.01, 0.02].map((shift, at) => resultsFixture({ randomSeed: at + 1, shift })),
  resultsFixture({ id: "20260305-000000", change: switched }),
];
const page = renderComparison(compareResults(runs));
const section = (id: string) =>
  page.slice(page.indexOf(`id="${id}"`), page.indexOf("</section>", page.indexOf(`id="${id}"`)));
/** Models that all four runs share have one row; the mix and BTX have two. */
const ROWS = 13;

describe("the page of a comparison", () => {
  it("needs nothing from outside and runs nothing", () => {
    expect(page).toMatch(/<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;;/);
    expect(page).not.toMatch(/<script|<link rel="stylesheet|@import|url\(|https?:/);
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("opens with what is held equal", () => {
    const header = page.slice(page.indexOf("<header>"), page.indexOf("</header>"));
    expect(header).toContain("Comparison of 4 runs");
    expect(header).toContain('<p class="lead">Compared at equal tokens: rows marked = were trained');
    expect(header).toContain(
      "Equal training tokens: BTX (router top-k); BTX (router switch); Dense; Sparse upcycling.",
    );
  });

  it("has a row a model and configuration in both tables, with a rule before the baselines", () => {
    for (const id of ["overview", "domains"]) {
      expect(count(section(id), '<th scope="row"'), id).toBe(ROWS);
      expect(count(section(id), "<tbody>"), id).toBe(2);
      expect(section(id)).toContain(">router switch</span>");
    }
    expect(section("overview")).toContain('title="router top-k, k 2"');
    expect(section("overview")).toMatch(/\d\.\d{3}<span class="muted"> ± 0\.010 \(3\)<\/span>/);
    expect(section("overview")).toMatch(/<b>=<\/b>.*×0\.75/s);
  });

  it("marks best values and those that are not different with words too", () => {
    expect(count(section("domains"), " best</span>")).toBeGreaterThanOrEqual(3);
    const noisy = [0, 0.3, 0.6].map((shift, at) => resultsFixture({ randomSeed: at + 1, shift }));
    expect(renderComparison(compareResults(noisy))).toContain(" not different from the best</span>");
  });

  it("draws a titled, labelled point a model in two figures, error bars where there are several seeds, and a table of each", () => {
    const figures = section("compute");
    // Every model of the fixture has both measures.
    expect(count(figures, "<svg")).toBe(2);
    expect(count(figures, "<circle")).toBe(2 * ROWS);
    expect(count(figures, "<g><title>")).toBe(2 * ROWS);
    expect(count(figures, '<text class="name')).toBe(2 * ROWS);
    expect(count(figures, '<th scope="row"')).toBe(2 * ROWS);
    const [loss = ""] = figures.split("<figcaption>");
    // One of the two mixes and of the two BTX models has a single seed; the others' three have deviation 0.01.
    expect(count(loss, /<path class="c\d" d="M[\d. ]+V[\d. ]+M/)).toBe(ROWS - 2);
    expect(loss).toContain("BTX (router switch): ");
  });

  it("puts points where training and loss say, the axes beginning at no training", () => {
    const circles = [...section("compute").matchAll(/<circle class="p(\d)" cx="([\d.]+)" cy="([\d.]+)"/g)].slice(
      0,
      ROWS,
    );
    const seed = circles.filter(([, colour]) => colour === "0");
    expect(seed.map(([, , x]) => x)).toEqual(["0.0"]);
    const btx = circles.filter(([, colour]) => colour === "1");
    expect(btx).toHaveLength(2);
    // A lower loss stands lower, and more compute further to the right.
    for (const [, , x, y] of btx) {
      expect(Number(x)).toBeGreaterThan(0);
      expect(Number(y)).toBeGreaterThan(Number(seed[0]?.[3]));
    }
  });

  it("shows the routed share of each mixture, columns that add up to 100 %", () => {
    const routing = section("routing");
    expect(count(routing, '<figure class="panel">')).toBe(2);
    const [first = ""] = routing.split("</figure>");
    const shares = [...first.matchAll(/<td>([\d.]+) %<\/td>/g)].map(([, share]) => Number(share));
    expect(shares).toHaveLength(4 * 3);
    for (const domain of [0, 1, 2]) {
      const column = shares.filter((_, at) => at % 3 === domain);
      expect(column.reduce((sum, share) => sum + share, 0)).toBeCloseTo(100, 0);
    }
    expect(first).toMatch(/largest [\d.]+ % \(layer \d, \w+\), smallest/);
  });

  it("gives ids once and refers to no other", () => {
    const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, labels = ""] of page.matchAll(/aria-labelledby="([^"]*)"/g))
      for (const id of labels.split(" ")) expect(ids).toContain(id);
  });

  it("escapes every name, and can be written when nothing was evaluated", () => {
    const evil = resultsFixture({ domains: [EVIL, "prose"] });
    const named = { ...evil, folder: `/${EVIL}`, record: { ...evil.record, name: EVIL, id: EVIL } };
    expect(renderComparison(compareResults([named]))).not.toMatch(/<script|onload='/);
    const begun = { ...evil, records: new Map() };
    expect(renderComparison(compareResults([begun]))).toContain("No model of these runs has been evaluated yet.");
  });
});
