import type { Metric } from "../protocol/stage.ts";
import type { ReportInput } from "./input.ts";

export interface Point {
  /** Tokens trained on in sequence: along the stage's longest chain of ancestors, and its own so far. */
  tokens: number;
  /** Training loss, nats per token. */
  loss: number;
}

/** The training loss of one stage. */
export interface Curve {
  stage: string;
  kind: string;
  /** At most POINTS each. */
  raw: Point[];
  smooth: Point[];
  /** The smoothed loss at the last step. */
  last: number;
}

/** Maximum number of points per line. */
export const POINTS = 600;
/** The window of the moving mean, as a share of the curve. */
const WINDOW = 1 / 25;

/**
 * Metrics in the order of steps, one per step (the last one written, because a resumed stage may repeat steps) and only
 * with a finite loss.
 */
function tidy(metrics: readonly Metric[]): Metric[] {
  const bySteps = new Map(metrics.filter(({ loss, tokens }) => Number.isFinite(loss + tokens)).map((m) => [m.step, m]));
  return [...bySteps.values()].sort((a, b) => a.step - b.step);
}

/**
 * Centred moving mean over about a 25th of the points. Near the start, where the loss falls fast, the window shrinks on
 * both sides; at the end it loses only its right half, so that the last value is a mean, too.
 */
export function smoothed(points: readonly Point[]): Point[] {
  const sums = [0];
  for (const { loss } of points) sums.push((sums.at(-1) ?? 0) + loss);
  const half = Math.floor((points.length * WINDOW) / 2);
  return points.map(({ tokens }, index) => {
    const reach = Math.min(half, index);
    const end = Math.min(index + reach + 1, points.length);
    return { tokens, loss: ((sums[end] ?? 0) - (sums[index - reach] ?? 0)) / (end - index + reach) };
  });
}

/**
 * At most `most` of the points: the first, the last, and the lowest and highest of each interval, so that spikes
 * remain.
 */
export function decimated(points: readonly Point[], most: number = POINTS): Point[] {
  if (points.length <= most) return [...points];
  const stretches = Math.floor((most - 2) / 2);
  const inner = points.length - 2;
  const kept: (Point | undefined)[] = [points[0]];
  for (let stretch = 0; stretch < stretches; stretch++) {
    const from = 1 + Math.floor((stretch * inner) / stretches);
    const to = 1 + Math.floor(((stretch + 1) * inner) / stretches);
    let [low, high] = [from, from];
    for (let at = from; at < to; at++) {
      const loss = points[at]?.loss ?? 0;
      if (loss < (points[low]?.loss ?? 0)) low = at;
      if (loss > (points[high]?.loss ?? 0)) high = at;
    }
    kept.push(...[...new Set([low, high])].sort((a, b) => a - b).map((at) => points[at]));
  }
  kept.push(points.at(-1));
  return kept.filter((point) => point !== undefined);
}

/**
 * The loss curves of all stages that have metrics, in the order of the plan. A stage begins where the longest of its
 * parents ended.
 */
export function lossCurves({ run, metrics }: ReportInput): Curve[] {
  const ends = new Map<string, number>();
  const curves: Curve[] = [];
  for (const { name, spec, parents } of run.stages) {
    const start = Math.max(0, ...Object.values(parents).map((parent) => ends.get(parent) ?? 0));
    const points = tidy(metrics.get(name) ?? []).map((m) => ({ tokens: start + m.tokens, loss: m.loss }));
    ends.set(name, points.at(-1)?.tokens ?? start);
    if (points.length === 0) continue;
    const smooth = smoothed(points);
    curves.push({
      stage: name,
      kind: spec.kind,
      raw: decimated(points),
      smooth: decimated(smooth),
      last: smooth.at(-1)?.loss ?? Number.NaN,
    });
  }
  return curves;
}

/** About `wanted` round values between `low` and `high`, ascending. */
export function ticks(low: number, high: number, wanted: number): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  const power = 10 ** Math.floor(Math.log10(span / wanted));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => span / (factor * power) <= wanted) ?? 10) * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}
