import { dateTime, duration } from "../protocol/format.ts";
import { secondsTaken } from "../protocol/run.ts";
import { modelOrder } from "../protocol/stageKinds.ts";
import { headline } from "../terminal/comparison.ts";
import { lossCurves } from "./curves.ts";
import { curvesFigure } from "./curvesFigure.ts";
import { routingSection } from "./heatmap.ts";
import { type Html, html } from "./html.ts";
import type { ReportInput } from "./input.ts";
import { renderPage, scrolling } from "./page.ts";
import { costTable, lossTable, stageTable } from "./tables.ts";

export type { ReportInput } from "./input.ts";

/** The devices and threads that were used, such as "cpu, 2 threads"; each once. */
function devices({ stages }: ReportInput): string {
  const most = new Map<string, number>();
  for (const { device, threads } of stages) most.set(device, Math.max(most.get(device) ?? 0, threads));
  const texts = [...most].map(([device, threads]) => `${device}, ${threads} ${threads === 1 ? "thread" : "threads"}`);
  return texts.length > 0 ? texts.join("; ") : "none yet";
}

function header(input: ReportInput): Html {
  const { run, summary } = input;
  const seconds = secondsTaken(run);
  const facts: [string, Html | string][] = [
    ["status", html`<span class="status ${run.status}">${run.status}</span>`],
    ["run", html`<code>${run.id}</code>`],
    ["started", html`<time datetime="${run.created}">${dateTime(run.created, true)} UTC</time>`],
    ...(seconds === undefined ? [] : [["took", duration(seconds)] as [string, string]]),
    ["device", devices(input)],
    ["experiment", html`<code>${run.file.split(/[\\/]/).at(-1) ?? run.file}</code>`],
  ];
  return html`<header>
<p class="kicker">Branch-Train-MiX run</p>
<h1>${run.name}</h1>
<p class="lead">${headline(summary)}</p>
<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${run.error !== undefined && html`<p class="error" role="alert">${run.error}</p>`}
</header>`;
}

function routing({ routing: models }: ReportInput): Html {
  const sections = modelOrder(models.keys()).flatMap((model, index) => {
    const summary = models.get(model);
    return summary ? [routingSection(model, summary, `routing-${index}`)] : [];
  });
  return html`<section aria-labelledby="routing"><h2 id="routing">Which expert each layer sends a domain to</h2>
${
  sections.length === 0
    ? html`<p class="empty">No mixed model of this run has been evaluated yet.</p>`
    : html`<p class="note">Held-out text. Rows are layers, the first at the top; columns are experts. A cell is the share of the domain’s tokens that chose the expert, so a row adds up to the number of experts per token.</p>${sections}`
}</section>`;
}

/**
 * The report of a run: one self-contained HTML page without scripts, for light and dark themes. Text from the run
 * folder is always escaped. The report can be written at any time; it says which results are missing.
 */
export function renderReport(input: ReportInput): string {
  const { run } = input;
  const main = html`<section aria-labelledby="comparison"><h2 id="comparison">Held-out results</h2>
${lossTable(input)}
</section>
<section aria-labelledby="cost"><h2 id="cost">Cost of each model</h2>
${costTable(input)}
</section>
<section aria-labelledby="curves"><h2 id="curves">Training loss</h2>
${curvesFigure(lossCurves(input))}
</section>
${routing(input)}
<section aria-labelledby="details"><h2 id="details">How it was run</h2>
<details><summary>Stages</summary>
${stageTable(input)}
</details>
<details><summary>Experiment file</summary>
${scrolling("Experiment file", html`<pre><code>${run.experiment}</code></pre>`)}
</details>
</section>`;
  return renderPage({ title: run.name, header: header(input), main });
}
