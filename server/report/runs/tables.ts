import type { ComparedRouting, ComparedRow, ComparisonOfRuns, Statistic } from "../../protocol/comparison.ts";
import { count, duration, flops, percent } from "../../protocol/format.ts";
import { modelLabel, ownModel } from "../../protocol/stageKinds.ts";
import {
  beginsBaselines,
  ratioText,
  routingText,
  rowName,
  type Shown,
  statisticText,
} from "../../terminal/fairness.ts";
import { configuration, settingText } from "../../terminal/settings.ts";
import { type Html, html } from "../html.ts";
import { scrolling } from "../page.ts";

/** A model's name and settings; implied settings are only in the title. */
function rowHead(row: ComparedRow): Html {
  const settings = configuration(row);
  const all = row.differences.map((difference) => settingText(difference, row.model)).join(", ");
  return html`<th scope="row"${row.model === ownModel && html` class="ours"`}>${modelLabel(row.model)}${settings.length > 0 && html`<span class="config" title="${all}">${settings.join(", ")}</span>`}</th>`;
}

/** Table bodies, with a rule between the models that BTX is built from and the baselines. */
function bodies(rows: readonly ComparedRow[], line: (row: ComparedRow) => Html): Html {
  const groups: ComparedRow[][] = [];
  rows.forEach((row, index) => {
    if (index === 0 || beginsBaselines(rows, index)) groups.push([]);
    groups.at(-1)?.push(row);
  });
  return html`${groups.map((group) => html`<tbody>${group.map(line)}</tbody>`)}`;
}

function valueCell(value: Statistic | undefined, shown: Shown, names = ""): Html {
  const [text = "", noise] = statisticText(value, shown).split(/(?= ±)/);
  const rest = noise !== undefined && html`<span class="muted">${noise}</span>`;
  const inner =
    value?.standing === "best"
      ? html`<b class="best">${text}${rest}<span class="unseen"> best</span></b>`
      : value?.standing === "not-different"
        ? html`<span class="level">${text}${rest}<span class="unseen"> not different from the best</span></span>`
        : html`${text}${rest}`;
  return html`<td class="${names}">${inner}</td>`;
}

const plain = (text: string | undefined, first = false): Html =>
  html`<td class="${first ? "group" : ""}">${text ?? html`<span class="muted">–</span>`}</td>`;
const or = (value: number | undefined, text: (value: number) => string) =>
  value === undefined ? undefined : text(value);

interface Group {
  name: string;
  unit?: string;
  columns: string[];
}

const heads = (groups: readonly Group[]): Html => {
  const tops = groups.map(
    ({ name, unit, columns }) =>
      html`<th scope="colgroup" class="group" colspan="${columns.length}">${name} ${unit !== undefined && html`<span class="unit">${unit}</span>`}</th>`,
  );
  const below = groups.flatMap(({ columns }) =>
    columns.map(
      (column, at) =>
        html`<th scope="col" class="${at === 0 ? "group" : ""}${column === "mean" ? " mean" : ""}"><span class="cut" title="${column}">${column}</span></th>`,
    ),
  );
  return html`<thead><tr><td></td>${tops}</tr><tr><th scope="col">model</th>${below}</tr></thead>`;
};

/** Models with their means, their training relative to BTX, and their size. */
export function overview(comparison: ComparisonOfRuns, rows: readonly ComparedRow[], unit: string): Html {
  const answers = rows.some((row) => row.exactMatch);
  const groups: Group[] = [
    { name: "Held-out loss", unit, columns: ["mean"] },
    ...(answers ? [{ name: "Exact match", unit: "of answers", columns: ["mean"] }] : []),
    { name: "Against BTX", unit: "beyond the seed", columns: ["tokens", "FLOPs"] },
    { name: "Beyond the seed", unit: "training", columns: ["tokens", "compute"] },
    { name: "With the seed", unit: "training", columns: ["tokens", "compute"] },
    { name: "Parameters", columns: ["total", "active"] },
    { name: "Device", columns: ["time"] },
  ];
  const line = (row: ComparedRow) => {
    const against = (key: "tokens" | "flops") => {
      const text = ratioText(row[key]);
      return comparison.equal === key && row[key]?.equal ? html`<b>${text}</b>` : html`${text}`;
    };
    return html`<tr>${rowHead(row)}${valueCell(row.loss.mean, "loss", "group mean")}${answers && valueCell(row.exactMatch?.mean, "exactMatch", "group mean")}<td class="group">${against("tokens")}</td><td>${against("flops")}</td>${plain(or(row.tokens?.beyondSeed, count), true)}${plain(or(row.flops?.beyondSeed, flops))}${plain(or(row.tokens?.total, count), true)}${plain(or(row.flops?.total, flops))}${plain(or(row.parameters, count), true)}${plain(or(row.activeParameters, count))}${plain(or(row.seconds, duration), true)}</tr>`;
  };
  return html`${scrolling(
    "Models of the runs",
    html`<table class="compare many"><caption class="unseen">Means, training and size of each model</caption>
${heads(groups)}
${bodies(rows, line)}</table>`,
  )}<p class="note">A filled box marks the best value of its column, an empty one a value that is not different from it: Welch’s t-test over random seeds, 5 %, row by row. “a ± b (n)” is the mean and the standard deviation over n random seeds. Time is summed over stages, although experts train in parallel.</p>`;
}

/** Models by domains: held-out loss, then exact match where it was measured. */
export function byDomain(comparison: ComparisonOfRuns, rows: readonly ComparedRow[], unit: string): Html {
  const measured = (["loss", "exactMatch"] as const).map((shown) => ({
    shown,
    domains: comparison.domains.filter((domain) => rows.some((row) => row[shown]?.domains[domain])),
  }));
  const present = measured.filter(({ domains }) => domains.length > 0);
  const groups = present.map(
    ({ shown, domains }): Group =>
      shown === "loss"
        ? { name: "Held-out loss", unit, columns: domains }
        : { name: "Exact match", unit: "of answers", columns: domains },
  );
  const line = (row: ComparedRow) => {
    const cells = present.flatMap(({ shown, domains }) =>
      domains.map((domain, at) => valueCell(row[shown]?.domains[domain], shown, at === 0 ? "group" : "")),
    );
    return html`<tr>${rowHead(row)}${cells}</tr>`;
  };
  return scrolling(
    "Held-out loss by domain",
    html`<table class="compare many"><caption class="unseen">Held-out loss and exact match by domain</caption>
${heads(groups)}
${bodies(rows, line)}</table>`,
  );
}

/** Experts by domains: shares of one row's routed tokens. */
function routingTable(row: ComparedRow, routing: ComparedRouting): Html {
  const lines = routing.experts.map((expert, at) => {
    const cells = (routing.share[at] ?? []).map((share) => html`<td>${percent(share, 1)}</td>`);
    return html`<tr><th scope="row">${expert}</th>${cells}</tr>`;
  });
  const columns = routing.domains.map((domain) => html`<th scope="col">${domain}</th>`);
  return html`<figure class="panel"><figcaption><b>${rowName(row)}</b></figcaption>
${scrolling(`Routed share of ${rowName(row)}`, html`<table class="small"><thead><tr><th scope="col">expert</th>${columns}</tr></thead><tbody>${lines}</tbody></table>`)}
<p class="note">${routingText(routing)}</p></figure>`;
}

/** One table per mixed model; empty if there are no mixed models. */
export function routedShares(rows: readonly ComparedRow[]): Html {
  const tables = rows.flatMap((row) => (row.routing ? [routingTable(row, row.routing)] : []));
  if (tables.length === 0) return html`<p class="empty">No mixed model has been evaluated yet.</p>`;
  return html`<p class="note">Share of a domain’s routed tokens that each expert got on held-out text, mean over layers and random seeds; a column adds up to 100 %. Below it are the largest and the smallest share of an expert in one layer, mean over domains, and the even share.</p><div class="panels">${tables}</div>`;
}
