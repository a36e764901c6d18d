import type { ComparedRow } from "../../protocol/comparison.ts";
import { flops } from "../../protocol/format.ts";
import { kindOfName, type ModelKind } from "../../protocol/stageKinds.ts";
import { cutMiddle } from "../../terminal/ansi.ts";
import { rowName, type Shown, statisticText } from "../../terminal/fairness.ts";
import { ticks } from "../curves.ts";
import { type Html, html } from "../html.ts";
import { scrolling } from "../page.ts";
import { placeLabels } from "./placeLabels.ts";

/** Figure 2 of the paper: quality against training cost beyond the seed. */

const [WIDTH, HEIGHT] = [1000, 440];
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 16, 14, 48];
const PLOT = { width: WIDTH - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM };
/** Maximum length of a label, characters. */
const LETTERS = 44;

interface Point {
  row: ComparedRow;
  flops: number;
  mean: number;
  deviation: number;
}

/** Indices in the palette: seed grey, BTX blue, the others by kind. */
const COLOURS: Readonly<Record<ModelKind, number>> = {
  seed: 0,
  finetune: 1,
  expert: 2,
  dense: 3,
  upcycling: 4,
  btm: 5,
  average: 6,
  mix: 7,
};
const colourOf = (model: string): number => COLOURS[kindOfName(model) as ModelKind] ?? COLOURS.mix;

function pointsOf(rows: readonly ComparedRow[], shown: Shown): Point[] {
  return rows.flatMap((row) => {
    const [value, amount] = [row[shown]?.mean, row.flops?.beyondSeed];
    if (!value || amount === undefined) return [];
    return [{ row, flops: amount, mean: value.mean, deviation: value.deviation ?? 0 }];
  });
}

function spanOf(points: readonly Point[]): { most: number; low: number; high: number } {
  const low = Math.min(...points.map(({ mean, deviation }) => mean - deviation));
  const high = Math.max(...points.map(({ mean, deviation }) => mean + deviation));
  const room = Math.max((high - low) * 0.08, 0.01);
  // Neither measure is ever below 0.
  const floor = Math.max(0, low - room);
  return { most: Math.max(1, ...points.map((point) => point.flops)) * 1.06, low: floor, high: high + room };
}

const one = (value: number) => value.toFixed(1);

/**
 * Mean loss or mean exact match against training FLOPs beyond the seed: one point per model, with error bars of one
 * standard deviation each way.
 */
export function paperFigure(rows: readonly ComparedRow[], shown: Shown, unit: string): Html {
  const points = pointsOf(rows, shown);
  if (points.length === 0) return html`<p class="empty">The training of no model is known.</p>`;
  const { most, low, high } = spanOf(points);
  const xAt = (value: number) => (value / most) * PLOT.width;
  const yAt = (value: number) => ((high - value) / (high - low)) * PLOT.height;
  const printed = (value: number) =>
    shown === "loss" ? String(Number(value.toFixed(4))) : `${Number((value * 100).toFixed(2))} %`;
  const name = shown === "loss" ? `mean held-out loss, ${unit}` : "mean exact match";
  const places = points.map(({ flops: x, mean, deviation }) => {
    const y = yAt(mean);
    return { x: xAt(x), y, reach: y - yAt(mean + deviation) };
  });
  const texts = points.map(({ row }) => cutMiddle(rowName(row), LETTERS));
  const labels = placeLabels(places, texts, PLOT);
  const grid = ticks(low, high, 6).map(
    (value) =>
      html`<path class="grid" d="M0 ${one(yAt(value))}H${PLOT.width}"/><text class="end" x="-8" y="${one(yAt(value) + 4)}">${printed(value)}</text>`,
  );
  const across = ticks(0, most, 6).map(
    (value) =>
      html`<path class="grid" d="M${one(xAt(value))} 0V${PLOT.height}"/><text class="mid" x="${one(xAt(value))}" y="${PLOT.height + 18}">${value === 0 ? "0" : flops(value)}</text>`,
  );
  const drawn = points.map(({ row, flops: x, mean, deviation }, index) => {
    const { x: cx = 0, y: cy = 0 } = places[index] ?? {};
    const label = labels[index] ?? { x: cx, y: cy, end: false, led: false };
    const colour = colourOf(row.model);
    const [top, bottom] = [yAt(mean + deviation), yAt(Math.max(low, mean - deviation))];
    const bar =
      deviation > 0 &&
      html`<path class="c${colour}" d="M${one(cx)} ${one(top)}V${one(bottom)}M${one(cx - 4)} ${one(top)}h8M${one(cx - 4)} ${one(bottom)}h8"/>`;
    const lead = label.led && html`<path class="lead" d="M${one(cx)} ${one(cy)}L${one(label.x)} ${one(label.y)}"/>`;
    const title = `${rowName(row)}: ${statisticText(row[shown]?.mean, shown)}${shown === "loss" ? ` ${unit}` : ""}, ${flops(x)} beyond the seed`;
    return html`<g><title>${title}</title>${lead}${bar}<circle class="p${colour}" cx="${one(cx)}" cy="${one(cy)}" r="5"/><text class="name${label.end && " end"}" x="${one(label.x)}" y="${one(label.y + 4)}">${texts[index]}</text></g>`;
  });
  const table = points.map(
    ({ row, flops: x }) =>
      html`<tr><th scope="row">${rowName(row)}</th><td>${flops(x)}</td><td>${statisticText(row[shown]?.mean, shown)}</td></tr>`,
  );
  const id = `figure-${shown}`;
  return html`<figure>
${scrolling(
  `${name} against training FLOPs`,
  html`<svg class="scatter" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${id}-t ${id}-d"><title id="${id}-t">${name} against training FLOPs beyond the seed</title><desc id="${id}-d">One point per model; the same numbers follow as a table.</desc><g transform="translate(${LEFT} ${TOP})">${grid}${across}<path class="frame" d="M0 0V${PLOT.height}H${PLOT.width}"/><text x="${PLOT.width}" y="${PLOT.height + 38}" class="end">training FLOPs beyond the seed</text>${drawn}</g></svg>`,
)}
<figcaption>Vertical axis: ${name}${shown === "loss" ? " (lower is better)" : " (higher is better)"}. Horizontal axis: training compute beyond the seed, over all stages that a model comes from. Error bars are one standard deviation over random seeds each way; a point without a bar has a single seed.</figcaption>
<details><summary>The same numbers as a table</summary>
${scrolling("Numbers of the figure", html`<table class="small"><thead><tr><th scope="col">model</th><th scope="col">FLOPs beyond the seed</th><th scope="col">${name}</th></tr></thead><tbody>${table}</tbody></table>`)}
</details></figure>`;
}
