import { describe, expect, it } from "vitest";
import { routingSummarySchema } from "../../../server/protocol/routingFiles.ts";
import { runRecordSchema, runSummarySchema } from "../../../server/protocol/run.ts";
import { metricSchema, stageRecordSchema } from "../../../server/protocol/stage.ts";
import { html } from "../../../server/report/html.ts";
import { type ReportInput, renderReport } from "../../../server/report/report.ts";
import { runFixture } from "../../fixtures/run.ts";

const EVIL = `<script>alert(1)</script>"onload='x'&amp;`;
const count = (text: string, part: string | RegExp) => text.split(part).length - 1;

describe("the fixture", () => {
  it("is valid as what a run folder holds", () => {
    const input = runFixture({ domains: ["a", "b", "c", "d"] });
    runSummarySchema.parse(input.summary);
    runRecordSchema.parse(input.run);
    for (const record of input.stages) stageRecordSchema.parse(record);
    for (const metrics of input.metrics.values()) metricSchema.parse(metrics[0]);
    for (const routing of input.routing.values()) routingSummarySchema.parse(routing);
  });
});

describe("escaping", () => {
  it("replaces control and direction characters, but keeps line ends and tabs", () => {
    expect(html`${"a\u0000\u001b\u202eb\n\tc"}`.text).toBe("a\ufffd\ufffd\ufffdb\n\tc");
  });

  it("escapes what is put into a template unless it is markup itself", () => {
    expect(html`<p title="${'"'}">${["<", html`<b>${"&"}</b>`, false, undefined, 0]}</p>`.text).toBe(
      '<p title="&quot;">&lt;<b>&amp;</b>0</p>',
    );
  });

  it("holds for every name and text of a run", () => {
    const input = runFixture({ name: EVIL, domains: [EVIL, "prose"], experiment: `${EVIL}\n</pre></details>` });
    const page = renderReport({
      ...input,
      run: { ...input.run, id: EVIL, file: `/x/${EVIL}`, error: EVIL, created: EVIL },
      stages: input.stages.map((record) => ({ ...record, device: EVIL, engine: EVIL })),
    });
    expect(page).not.toContain("<script");
    expect(page).not.toContain(`"onload`);
    expect(page).not.toContain("'x'");
    expect(count(page, "</pre>")).toBe(1);
    expect(count(page, "&lt;script&gt;alert(1)&lt;/script&gt;")).toBeGreaterThan(20);
  });
});

describe("renderReport", () => {
  const input = runFixture();
  const page = renderReport(input);

  it("is one page that fetches nothing and runs no script", () => {
    expect(page.startsWith('<!doctype html>\n<html lang="en">')).toBe(true);
    expect(page).toContain(`content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;; img-src data:;`);
    expect(page).not.toMatch(/<script|<link rel="stylesheet|@import|url\(|https?:/);
  });

  it("opens with name, status, id, date, device and the result in a sentence", () => {
    const header = page.slice(page.indexOf("<header>"), page.indexOf("</header>"));
    for (const part of [
      "<h1>three-domains</h1>",
      ">done<",
      input.run.id,
      "2026-03-04 12:30 UTC",
      "cpu, 2 threads",
      "5m 12s",
    ]) {
      expect(header).toContain(part);
    }
    expect(header).toMatch(/BTX: mean held-out loss \d\.\d{3} nats per token, \d\.\d{3} below the best expert/);
  });

  it("has a row a model in both tables, baselines in a body of their own, and the best of each column marked with a word", () => {
    const losses = page.slice(page.indexOf('id="comparison"'), page.indexOf('id="cost"'));
    const costs = page.slice(page.indexOf('id="cost"'), page.indexOf('id="curves"'));
    for (const table of [losses, costs]) {
      expect(count(table, '<th scope="row"')).toBe(11);
      expect(count(table, "<tbody>")).toBe(2);
    }
    expect(count(losses, '<span class="unseen"> best</span>')).toBe(9);
    expect(losses).toMatch(/nats per token.*bits per byte.*% of answers/s);
  });

  it("draws each stage's loss twice, faint and smoothed, no curve of more than 600 points, no two smoothed ones of one look", () => {
    const figure = page.slice(page.indexOf('class="canvas"'), page.indexOf('class="x-ticks"'));
    const paths = [...figure.matchAll(/<path class="(raw )?(c\d)[^"]*"(?: stroke-dasharray="([^"]*)")? d="([^"]*)"/g)];
    expect(paths.length).toBe(14);
    for (const [, , , , d = ""] of paths) expect(count(d, "L") + 1).toBeLessThanOrEqual(600);
    const looks = paths.filter(([, raw]) => raw === undefined).map(([, , colour, dash]) => `${colour} ${dash}`);
    expect(new Set(looks).size).toBe(7);
  });

  it("shows routing before and after finetuning: a titled heatmap a domain with a number in each cell, and a table", () => {
    const routing = page.slice(page.indexOf('id="routing"'), page.indexOf('id="details"'));
    expect(count(routing, '<svg class="heat"')).toBe(6);
    expect(count(routing, /<desc id=/)).toBe(6);
    expect(count(routing, /<text class="t\d+"[^>]*>\d+%</)).toBe(2 * 3 * 4 * 4);
    expect(count(routing, '<th scope="rowgroup" rowspan="4">')).toBe(6);
    expect(count(routing, "uniform, 50 %")).toBe(2);
    expect(routing.indexOf("Mix, not finetuned")).toBeLessThan(routing.indexOf("BTX"));
  });

  it("gives ids once and refers to no other", () => {
    const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, labels = ""] of page.matchAll(/aria-labelledby="([^"]*)"/g)) {
      for (const id of labels.split(" ")) expect(ids).toContain(id);
    }
  });

  it("holds the experiment's text and a row a stage", () => {
    const details = page.slice(page.indexOf('id="details"'));
    expect(details).toContain("compare:   [average, dense, btm, upcycling]");
    expect(count(details, '<th scope="row"')).toBe(21);
    expect(details).toContain(input.stages[5]?.key ?? "");
  });

  it("can be written of a run that has just begun and of one that failed", () => {
    const begun: ReportInput = {
      ...input,
      summary: { ...input.summary, losses: {}, bitsPerByte: {}, exactMatch: {}, routing: [], stages: [] },
      run: { ...input.run, status: "failed", error: "The disk is full.\nFree some space.", reused: [] },
      stages: [],
      metrics: new Map(),
      routing: new Map(),
    };
    const text = renderReport(begun);
    expect(text).toContain("No model of this run has been evaluated yet.");
    expect(text).toContain("No stage of this run has trained yet.");
    expect(text).toContain('role="alert">The disk is full.');
    expect(count(text, ">waiting<")).toBe(21);
    expect(text).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("shows a dash, not a number, for a domain without held-out tokens, and draws a stage of a single step", () => {
    const empty = [...input.routing].map(
      ([name, routing]) => [name, { ...routing, tokens: routing.tokens.map(() => 0) }] as const,
    );
    const first = input.metrics.get("seed")?.slice(0, 1) ?? [];
    const text = renderReport({ ...input, routing: new Map(empty), metrics: new Map([["seed", first]]) });
    expect(text).toMatch(/<text class="t0"[^>]*>–</);
    expect(text).not.toMatch(/NaN|Infinity|undefined/);
  });
});
