import { count, loss } from "../protocol/format.ts";
import { factsOf, modelLabel } from "../protocol/stageKinds.ts";
import { type Curve, type Point, ticks } from "./curves.ts";
import { type Html, html } from "./html.ts";

/** Side of the square in which lines are drawn. The page stretches it, but strokes and labels keep their size. */
const SIDE = 1000;

/** Dash patterns, in pixels; each curve has its own, so that colour is not needed to tell them apart. */
const DASHES = ["7 3", "2.5 2.5", "11 3 2.5 3", "14 4", "5 2 1.5 2", "1.5 4", "9 2 2 2 2 2", "4 6"];
/** Colours `--c2` and on are for experts and baselines; the seed has `--c0`, the finetuned model `--c1`. */
const COLOURS = 6;

interface LineStyle {
  colour: number;
  dash: string;
  wide: boolean;
}

/** The seed is grey and solid, BTX blue, solid and wide; every other curve has its own colour and dash. */
function stylesOf(curves: readonly Curve[]): LineStyle[] {
  let next = 0;
  return curves.map(({ kind }) => {
    const own = factsOf(kind)?.color;
    if (own === "seed") return { colour: 0, dash: "", wide: false };
    if (own === "mix") return { colour: 1, dash: "", wide: true };
    const index = next++;
    return { colour: 2 + (index % COLOURS), dash: DASHES[index % DASHES.length] ?? "", wide: false };
  });
}

interface Frame {
  tokens: number;
  low: number;
  high: number;
  /** The highest smoothed loss, which may lie above the frame. */
  peak: number;
}

const most = (points: readonly Point[]) => points.reduce((high, p) => Math.max(high, p.loss), Number.NEGATIVE_INFINITY);

/**
 * A curve without its first twentieth, because from random weights the loss falls so far that the rest would look flat.
 */
function settled({ smooth }: Curve): Point[] {
  const start = (smooth.at(-1)?.tokens ?? 0) / 20;
  return smooth.filter(({ tokens }) => tokens >= start);
}

function frameOf(curves: readonly Curve[]): Frame {
  const smooth = curves.flatMap((curve) => curve.smooth);
  const raw = curves.flatMap((curve) => curve.raw);
  const least = (points: Point[]) => points.reduce((low, point) => Math.min(low, point.loss), Number.POSITIVE_INFINITY);
  const peak = most(smooth);
  const top = most(curves.flatMap((curve) => (curve.kind === "seed" ? settled(curve) : curve.smooth)));
  const low = Math.max(0, Math.min(least(smooth), least(raw)));
  const room = Math.max(top - low, 0.1) * 0.05;
  return {
    tokens: Math.max(1, ...curves.map((curve) => curve.raw.at(-1)?.tokens ?? 0)),
    low: Math.max(0, low - room),
    high: top + room,
    peak,
  };
}

function path(points: readonly Point[], { tokens, low, high }: Frame): string {
  const at = (value: number) => String(Math.round(value * 10) / 10);
  const pairs = points.map((p) => `${at((p.tokens / tokens) * SIDE)} ${at(((high - p.loss) / (high - low)) * SIDE)}`);
  return pairs.length === 1 ? `M${pairs[0]}h0` : `M${pairs.join("L")}`;
}

/** A length in CSS. */
const cssShare = (share: number) => `${(share * 100).toFixed(2)}%`;

function lines(curve: Curve, style: LineStyle, frame: Frame): [raw: Html, smooth: Html] {
  const raw = html`<path class="raw c${style.colour}" d="${path(curve.raw, frame)}"/>`;
  const smooth = html`<path class="c${style.colour}${style.wide && " wide"}" stroke-dasharray="${style.dash || "none"}" d="${path(curve.smooth, frame)}"><title>${modelLabel(curve.stage)}, last ${loss(curve.last)} nats per token</title></path>`;
  return [raw, smooth];
}

function legend(curves: readonly Curve[], all: LineStyle[]): Html {
  const items = curves.map((curve, index) => {
    const { colour = 0, dash = "", wide = false } = all[index] ?? {};
    const swatch = html`<svg width="34" height="12" aria-hidden="true"><path class="c${colour}${wide && " wide"}" stroke-dasharray="${dash || "none"}" d="M1 6H33"/></svg>`;
    return html`<li>${swatch}<span class="cut">${modelLabel(curve.stage)}</span><span class="num">${loss(curve.last)}</span></li>`;
  });
  return html`<ul class="legend">${items}</ul>`;
}

/**
 * The training loss of all stages against tokens, in one plot: smoothed curves over raw ones, and a legend with the
 * last values.
 */
export function curvesFigure(curves: readonly Curve[]): Html {
  if (curves.length === 0) return html`<p class="empty">No stage of this run has trained yet.</p>`;
  const frame = frameOf(curves);
  const all = stylesOf(curves);
  const drawn = curves.map((curve, index) => lines(curve, all[index] ?? { colour: 0, dash: "", wide: false }, frame));
  const ys = ticks(frame.low, frame.high, 6);
  const xs = ticks(0, frame.tokens, 5);
  const yAt = (value: number) => (frame.high - value) / (frame.high - frame.low);
  const grid = ys.map((value) => html`<path class="grid" d="M0 ${(yAt(value) * SIDE).toFixed(1)}H${SIDE}"/>`);
  const marks = xs.map(
    (value) => html`<path class="grid" d="M${((value / frame.tokens) * SIDE).toFixed(1)} 0V${SIDE}"/>`,
  );
  const summary = curves.map((curve) => `${modelLabel(curve.stage)} ends at ${loss(curve.last)}`).join("; ");
  return html`<figure>
<div class="plot">
<div class="y-name" aria-hidden="true">training loss, nats per token</div>
<div class="y-ticks" aria-hidden="true">${ys.map((value) => html`<span style="top:${cssShare(yAt(value))}">${Number(value.toFixed(4))}</span>`)}</div>
<svg class="canvas" viewBox="0 0 ${SIDE} ${SIDE}" preserveAspectRatio="none" role="img" aria-labelledby="curves-title curves-desc"><title id="curves-title">Training loss of every stage against tokens</title><desc id="curves-desc">${summary}, in nats per token.</desc>${grid}${marks}<g>${drawn.map(([raw]) => raw)}</g><g>${drawn.map(([, smooth]) => smooth)}</g></svg>
<div class="x-ticks" aria-hidden="true">${xs.map((value) => html`<span${value / frame.tokens > 0.97 && html` class="edge"`} style="left:${cssShare(value / frame.tokens)}">${count(value)}</span>`)}</div>
<div class="x-name" aria-hidden="true">tokens trained on, in sequence</div>
</div>
${legend(curves, all)}
<figcaption>Moving mean over a 25th of each curve, with every step faint behind it; the legend gives the last value in nats per token. ${frame.peak > frame.high && `The first steps, from ${loss(frame.peak)} down, are above the plot. `}A stage begins where its parents ended, so experts, which train in parallel, overlap. Each loss is on the stage’s own training text: compare models by the table above, not by these curves.</figcaption>
</figure>`;
}
