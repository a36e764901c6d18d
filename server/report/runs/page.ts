import type { ComparisonOfRuns } from "../../protocol/comparison.ts";
import { UNITS } from "../../terminal/comparisonTable.ts";
import { fairness, orderedRows } from "../../terminal/fairness.ts";
import { type Html, html } from "../html.ts";
import { renderPage, scrolling } from "../page.ts";
import { paperFigure } from "./paperFigure.ts";
import { byDomain, overview, routedShares } from "./tables.ts";

/** Names of the experiments; only the first few if there are many. */
function titleOf({ runs }: ComparisonOfRuns): string {
  const names = [...new Set(runs.map(({ name }) => name))];
  return names.length > 5 ? `${names.slice(0, 4).join(", ")} and ${names.length - 4} more` : names.join(", ");
}

function header(comparison: ComparisonOfRuns): Html {
  const { runs, notes } = comparison;
  const [lead = "", ...more] = comparison.rows.length > 0 ? fairness(comparison) : [];
  return html`<header>
<p class="kicker">Comparison of ${runs.length} ${runs.length === 1 ? "run" : "runs"}</p>
<h1>${titleOf(comparison)}</h1>
<p class="lead">${lead}</p>
${more.map((text) => html`<p>${text}</p>`)}
${notes.map((text) => html`<p class="note">${text}</p>`)}
</header>`;
}

function runTable({ runs }: ComparisonOfRuns): Html {
  const rows = runs.map(
    ({ id, name, folder, status, models }) =>
      html`<tr><th scope="row"><code>${id}</code></th><td class="word">${name}</td><td class="word">${status}</td><td>${models}</td><td class="word"><code>${folder}</code></td></tr>`,
  );
  return scrolling(
    "Runs that are compared",
    html`<table class="small"><thead><tr><th scope="col">run</th><th scope="col" class="word">experiment</th><th scope="col" class="word">status</th><th scope="col">models</th><th scope="col" class="word">folder</th></tr></thead><tbody>${rows}</tbody></table>`,
  );
}

/** The comparison of several runs as one HTML page in the style of a run's report; see `renderPage`. */
export function renderComparison(comparison: ComparisonOfRuns): string {
  const rows = orderedRows(comparison);
  const unit = UNITS[comparison.measure];
  const results =
    rows.length === 0
      ? html`<p class="empty">No model of these runs has been evaluated yet.</p>`
      : html`<section aria-labelledby="overview"><h2 id="overview">Models</h2>
${overview(comparison, rows, unit)}
</section>
<section aria-labelledby="compute"><h2 id="compute">Quality against training cost</h2>
${paperFigure(rows, "loss", unit)}
${rows.some((row) => row.exactMatch) && paperFigure(rows, "exactMatch", unit)}
</section>
<section aria-labelledby="domains"><h2 id="domains">By domain</h2>
${byDomain(comparison, rows, unit)}
</section>
<section aria-labelledby="routing"><h2 id="routing">Which expert each domain goes to</h2>
${routedShares(rows)}
</section>`;
  const main = html`${results}
<section aria-labelledby="runs"><h2 id="runs">Runs</h2>
${runTable(comparison)}
</section>`;
  return renderPage({ title: `Comparison of ${titleOf(comparison)}`, header: header(comparison), main });
}
