import { html, type TemplateResult } from "lit";
import type { StreamedRun } from "../../server/protocol/stream.ts";
import { keyHelp } from "../components/chartKeys.ts";
import { bytes } from "../components/format.ts";
import type { MetricsData } from "./metricsData.ts";

/** Connection trouble, the progress of reading, and the outcome of the last action. */
export function notices({ trouble, reading }: MetricsData, notice: string): TemplateResult {
  const share = reading ? Math.floor((100 * reading.done) / reading.bytes) : 0;
  return html`<div role="status" class="notices">
    ${trouble ? html`<p class="notice trouble">${trouble}</p>` : ""}
    ${reading ? html`<p class="notice">Reading metrics: ${share} % of ${bytes(reading.bytes)}</p>` : ""}
    ${notice ? html`<p class="notice">${notice}</p>` : ""}
  </div>`;
}

/** Why there is no chart. */
export function nothingYet(runs: readonly StreamedRun[]): string {
  const problems = runs.flatMap(({ problem }) => problem ?? []);
  return problems.length > 0 ? problems.join(" ") : "No stage of this run trains.";
}

/** Help on keys and pointer. */
export function help(): TemplateResult {
  return html`<details class="help">
    <summary>Keys and pointer</summary>
    <p>In a chart:</p>
    <dl>
      ${keyHelp.map(([keys, does]) => html`<div><dt>${keys}</dt><dd>${does}</dd></div>`)}
      <div><dt>Drag</dt><dd>zoom into the dragged range along x, y or both; with Shift select, with Alt move</dd></div>
      <div><dt>Ctrl + wheel</dt><dd>zoom along x, with Shift along y</dd></div>
      <div><dt>Double click</dt><dd>show all</dd></div>
    </dl>
  </details>`;
}
