import { count, percent } from "../protocol/format.ts";
import type { RoutingSummary } from "../protocol/routingFiles.ts";
import { modelLabel } from "../protocol/stageKinds.ts";
import { cutMiddle } from "../terminal/ansi.ts";
import { type Html, html } from "./html.ts";
import { STEPS, stepOf } from "./palette.ts";

const ROW = 24;
const LEFT = 26;
const TOP = 20;
/** Maximum width of a letter in a heading, pixels. */
const LETTER = 7;

/** Share of a domain's tokens that chose the expert as one of K, 0..1; NaN if the domain has no tokens. */
function shareOf(routing: RoutingSummary, layer: number, expert: number, domain: number): number {
  const seen = routing.tokens[domain] ?? 0;
  return seen > 0 ? (routing.routedTokens[layer]?.[expert]?.[domain] ?? 0) / seen : Number.NaN;
}

/** K, experts per token, from the counts: a layer's routed tokens, summed over experts, are K times its tokens. */
export function expertsPerToken(routing: RoutingSummary): number {
  const seen = routing.tokens.reduce((sum, tokens) => sum + tokens, 0);
  const routed = (routing.routedTokens[0] ?? []).flat().reduce((sum, tokens) => sum + tokens, 0);
  return seen > 0 ? Math.round(routed / seen) : 0;
}

const indices = (items: readonly unknown[]) => items.map((_, index) => index);

/** The heatmap of one domain: a row per layer, a column per expert, and the share of tokens in each cell. */
function panel(model: string, routing: RoutingSummary, domain: number, uniform: number, id: string): Html {
  const { layers, experts } = routing;
  const name = routing.domains[domain] ?? "";
  const heads = experts.map((expert) => cutMiddle(expert, 9));
  const column = Math.max(46, ...heads.map((head) => Math.ceil(head.length * LETTER) + 8));
  const [width, height] = [LEFT + experts.length * column, TOP + layers.length * ROW];
  const middle = (expert: number) => LEFT + (expert + 0.5) * column;
  const cells = indices(layers).flatMap((layer) =>
    indices(experts).map((expert) => {
      const share = shareOf(routing, layer, expert, domain);
      const step = stepOf(share, uniform);
      const [x, y] = [LEFT + expert * column, TOP + layer * ROW];
      const gate =
        (routing.gateMass[layer]?.[expert]?.[domain] ?? 0) / (routing.routedTokens[layer]?.[expert]?.[domain] || 1);
      const tip = `layer ${layers[layer]}, ${experts[expert]}: ${percent(share, 1)} of ${name} tokens, mean gate ${gate.toFixed(2)} where chosen`;
      return html`<g><title>${tip}</title><rect class="h${step}" x="${x + 1}" y="${y + 1}" width="${column - 2}" height="${ROW - 2}" rx="2"/><text class="t${step}" x="${middle(expert)}" y="${y + 16}">${Number.isFinite(share) ? `${Math.round(share * 100)}%` : "–"}</text></g>`;
    }),
  );
  const rows = layers.map(
    (layer, index) => html`<text class="axis end" x="${LEFT - 6}" y="${TOP + index * ROW + 16}">${layer}</text>`,
  );
  const columns = heads.map(
    (head, index) =>
      html`<text class="axis" x="${middle(index)}" y="13"><title>${experts[index]}</title>${head}</text>`,
  );
  return html`<figure class="panel">
<figcaption><b class="cut">${name}</b> <span class="muted">${count(routing.tokens[domain] ?? 0)} tokens</span></figcaption>
<div class="scroll" tabindex="0" role="group" aria-label="Routing of ${name}, scrolls sideways where it is wide"><svg class="heat" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-t ${id}-d"><title id="${id}-t">${modelLabel(model)}: routing of ${name}</title><desc id="${id}-d">Rows are layers, columns are experts; each cell is the share of the domain’s tokens routed to the expert. The same numbers follow as a table.</desc>${columns}${rows}${cells}</svg></div>
</figure>`;
}

/** The colour scale, with the uniform share K/E in the middle. */
function scale(uniform: number): Html {
  const width = 10;
  const strip = Array.from(
    { length: STEPS },
    (_, step) => html`<rect class="h${step}" x="${step * width}" width="${width}" height="12"/>`,
  );
  return html`<div class="scale"><span class="num">0 %</span><span class="strip"><svg width="${STEPS * width}" height="12" viewBox="0 0 ${STEPS * width} 12" aria-hidden="true">${strip}</svg><span class="notch" aria-hidden="true"></span><span class="num">uniform, ${percent(uniform, uniform * 100 === Math.round(uniform * 100) ? 0 : 1)}</span></span><span class="num">100 % of tokens</span></div>`;
}

/** The heatmaps' numbers as a table: a row per domain and layer, a column per expert. */
function table(model: string, routing: RoutingSummary): Html {
  const groups = indices(routing.domains).map((domain) => {
    const rows = indices(routing.layers).map((layer) => {
      const cells = indices(routing.experts).map(
        (expert) => html`<td>${percent(shareOf(routing, layer, expert, domain), 1)}</td>`,
      );
      const head =
        layer === 0 && html`<th scope="rowgroup" rowspan="${routing.layers.length}">${routing.domains[domain]}</th>`;
      return html`<tr>${head}<th scope="row">${routing.layers[layer]}</th>${cells}</tr>`;
    });
    return html`<tbody>${rows}</tbody>`;
  });
  return html`<details><summary>The same numbers as a table</summary>
<div class="scroll" tabindex="0" role="group" aria-label="Routing table of ${modelLabel(model)}"><table class="small layers"><caption>${modelLabel(model)}: share of each domain’s tokens routed to each expert, by layer</caption>
<thead><tr><th scope="col">domain</th><th scope="col">layer</th>${routing.experts.map((expert) => html`<th scope="col">${expert}</th>`)}</tr></thead>
${groups}</table></div></details>`;
}

/**
 * The routing of one model: a heatmap per domain, the colour scale, and the numbers as a table. `id` must be unique in
 * the page.
 */
export function routingSection(model: string, routing: RoutingSummary, id: string): Html {
  const [k, experts] = [expertsPerToken(routing), routing.experts.length];
  const uniform = experts > 0 ? k / experts : 0;
  const panels = indices(routing.domains).map((domain) => panel(model, routing, domain, uniform, `${id}-${domain}`));
  return html`<section class="routing" aria-labelledby="${id}">
<h3 id="${id}">${modelLabel(model)} <span class="muted">${k} of ${experts} experts per token</span></h3>
<div class="panels">${panels}</div>
${scale(uniform)}
${table(model, routing)}
</section>`;
}
