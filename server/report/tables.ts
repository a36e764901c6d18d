import { count, duration, flops, loss, percentNumber, rate } from "../protocol/format.ts";
import { type Column, type Comparison, comparison, type Measure } from "../terminal/comparison.ts";
import { type Html, html } from "./html.ts";
import { costOf, type ReportInput, recordsByName } from "./input.ts";
import { scrolling } from "./page.ts";

const HEADS: Record<Measure, { name: string; unit: string }> = {
  nats: { name: "Held-out loss", unit: "nats per token" },
  bitsPerByte: { name: "Held-out loss", unit: "bits per byte" },
  exactMatch: { name: "Exact match", unit: "% of answers" },
};

function groupsOf(columns: readonly Column[]): { measure: Measure; columns: Column[] }[] {
  const measures = [...new Set(columns.map(({ measure }) => measure))];
  return measures.map((measure) => ({ measure, columns: columns.filter((column) => column.measure === measure) }));
}

function valueCell(column: Column, row: number, first: boolean): Html {
  const value = column.values[row];
  const names = [first && "group", column.domain === "mean" && "mean"].filter(Boolean).join(" ");
  if (value === undefined) return html`<td class="${names}"><span class="muted">–</span></td>`;
  const text = column.measure === "exactMatch" ? percentNumber(value) : loss(value);
  const best = column.best.has(row);
  return html`<td class="${names}">${best ? html`<b class="best">${text}<span class="unseen"> best</span></b>` : text}</td>`;
}

/** One table body per group of models: the ones BTX is built from, then the baselines. */
function bodies({ rows }: Comparison, line: (row: number) => Html): Html {
  const all = rows.map((_, index) => index);
  const groups = [all.filter((row) => !rows[row]?.baseline), all.filter((row) => rows[row]?.baseline)];
  return html`${groups.filter((group) => group.length > 0).map((group) => html`<tbody>${group.map(line)}</tbody>`)}`;
}

const rowHead = ({ rows }: Comparison, row: number): Html =>
  html`<th scope="row"${rows[row]?.label === "BTX" && html` class="ours"`}><span class="cut">${rows[row]?.label}</span></th>`;

/** Models by domains: nats per token, bits per byte, exact match; the best of each column in a box. */
export function lossTable(input: ReportInput): Html {
  const table = comparison(input.summary);
  if (table.rows.length === 0) return html`<p class="empty">No model of this run has been evaluated yet.</p>`;
  const groups = groupsOf(table.columns);
  const tops = groups.map(({ measure, columns }) => {
    const { name, unit } = HEADS[measure];
    return html`<th scope="colgroup" class="group" colspan="${columns.length}">${name} <span class="unit">${unit}</span></th>`;
  });
  const heads = groups.flatMap(({ columns }) =>
    columns.map(
      ({ domain }, index) =>
        html`<th scope="col" class="${index === 0 ? "group" : ""}${domain === "mean" ? " mean" : ""}"><span class="cut" title="${domain}">${domain}</span></th>`,
    ),
  );
  const line = (row: number) => {
    const cells = groups.flatMap(({ columns }) => columns.map((column, index) => valueCell(column, row, index === 0)));
    return html`<tr>${rowHead(table, row)}${cells}</tr>`;
  };
  return html`${scrolling(
    "Held-out loss of each model",
    html`<table class="compare${table.columns.length > 10 && " many"}"><caption class="unseen">Held-out loss and exact match of each model by domain</caption>
<thead><tr><td></td>${tops}</tr><tr><th scope="col">model</th>${heads}</tr></thead>
${bodies(table, line)}</table>`,
  )}<p class="note">A box marks the best value of its column: the lowest loss, the highest exact match. Models below the second rule are baselines.</p>`;
}

/** Models with their parameters, training tokens, FLOPs and time. */
export function costTable(input: ReportInput): Html {
  const table = comparison(input.summary);
  if (table.rows.length === 0) return html``;
  const line = (row: number) => {
    const cost = costOf(table.rows[row]?.name ?? "", input);
    const shown = [
      cost?.parameters !== undefined && count(cost.parameters),
      cost?.activeParameters !== undefined && count(cost.activeParameters),
      cost !== undefined && count(cost.tokens),
      cost !== undefined && cost.flops > 0 && flops(cost.flops),
      cost !== undefined && duration(cost.seconds),
    ];
    const cells = shown.map((text) => html`<td>${text === false ? html`<span class="muted">–</span>` : text}</td>`);
    return html`<tr>${rowHead(table, row)}${cells}</tr>`;
  };
  return html`${scrolling(
    "Cost of each model",
    html`<table class="compare"><caption class="unseen">Parameters and training cost of each model</caption>
<thead><tr><th scope="col">model</th><th scope="col">parameters</th><th scope="col">active <span class="unit">per token</span></th><th scope="col">training <span class="unit">tokens</span></th><th scope="col">training compute</th><th scope="col">stage time</th></tr></thead>
${bodies(table, line)}</table>`,
  )}<p class="note">Tokens, compute and time include a model’s own stage and all its ancestors. Time is summed over stages, although experts train in parallel.</p>`;
}

/** One row per stage of the plan: key, status, time, tokens, tokens/s, threads, engine, reused. */
export function stageTable(input: ReportInput): Html {
  const records = recordsByName(input);
  const summaries = new Map(input.summary.stages.map((stage) => [stage.name, stage]));
  const reused = new Set(input.run.reused);
  const rows = input.run.stages.map(({ name, key }) => {
    const [record, summary] = [records.get(name), summaries.get(name)];
    const status = record?.status ?? summary?.status ?? "waiting";
    const seconds = record?.seconds ?? summary?.seconds;
    const tokens = record?.result?.tokens ?? summary?.tokens;
    const speed = record?.result?.tokensPerSecond ?? summary?.tokensPerSecond;
    return html`<tr><th scope="row"><span class="cut">${name}</span></th><td class="word"><code>${key}</code></td><td class="word">${status}</td><td>${seconds === undefined ? "–" : duration(seconds)}</td><td>${tokens ? count(tokens) : "–"}</td><td>${speed ? rate(speed) : "–"}</td><td>${record?.threads ?? "–"}</td><td class="word">${record ? `${record.engine}, ${record.device}` : "–"}</td><td class="word">${reused.has(name) ? "yes" : "no"}</td></tr>`;
  });
  const heads = ["stage", "key", "status", "time", "tokens", "speed", "threads", "engine, device", "reused"];
  const words = new Set(["key", "status", "engine, device", "reused"]);
  return scrolling(
    "Stages of the run",
    html`<table class="small"><caption class="unseen">The stages of the run</caption><thead><tr>${heads.map((head) => html`<th scope="col" class="${words.has(head) ? "word" : ""}">${head}</th>`)}</tr></thead><tbody>${rows}</tbody></table>`,
  );
}
