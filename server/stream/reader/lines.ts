import { firstAtLeast } from "../../protocol/ascending.ts";
import { encodeFrame, type PointsHeader } from "../../protocol/frame.ts";
import { type Axis, type Figures, type Measure, measureSchema, type Range } from "../../protocol/stream.ts";
import type { MetricsFile, Series } from "./metricsFile.ts";
import type { Source, ViewRequest } from "./requests.ts";
import { firstAfter, smooth, thin, type Window } from "./thin.ts";

/** Lines of charts from the columns of metrics. */

/** Operations of rows whose metrics do not count them, by file: worked out once for as many rows as there are. */
const worked = new WeakMap<MetricsFile, { revision: number; values: Float64Array }>();

/** The x of all rows without what came before the stage; undefined where it was not recorded. */
export async function axisValues(file: MetricsFile, axis: Axis, source: Source): Promise<Float64Array | undefined> {
  const values = await file.values(axis);
  if (values || axis !== "flops" || source.flopsPerToken === undefined) return values;
  const known = worked.get(file);
  if (known?.revision === file.revision) return known.values;
  const flops = (await file.values("tokens"))?.map((tokens) => tokens * source.flopsPerToken!);
  if (flops) worked.set(file, { revision: file.revision, values: flops });
  return flops;
}

interface Drawn {
  source: Source;
  measure: Measure;
  x: Float64Array;
  shift: number;
  series: Series;
}

/** Most points of one frame, about: 32 MB. */
export const maxPoints = 1 << 21;

/** Into how many columns lines may be thinned out that have so many points a column, together. */
const columnsOf = (points: number): number => Math.max(1, Math.floor(maxPoints / Math.max(1, points)));

/** A frame of all these lines. @param whole see the frame's header. */
export async function drawLines(
  files: readonly { source: Source; file: MetricsFile }[],
  extent: Range | undefined,
  request: ViewRequest["view"],
  whole: boolean,
): Promise<ArrayBuffer> {
  const { id, axis, measures, columns, smoothing } = request;
  const drawn: Drawn[] = [];
  for (const { source, file } of files) {
    const x = await axisValues(file, axis, source);
    if (!x || x.length === 0) continue;
    const shift = source.begins[axis];
    for (const measure of measures) {
      const series = await file.series(measure);
      if (series) drawn.push({ source, measure, x, shift, series });
    }
  }
  const [low, high] = request.range ?? extent ?? [0, 1];
  const window: Window = { low, high, columns: Math.min(columns, columnsOf(drawn.length * (smoothing > 1 ? 3 : 2))) };
  const parts: Uint8Array[] = [];
  const lines = drawn.map(({ source: { root, key }, measure, x, shift, series }): PointsHeader["lines"][number] => {
    const raw = thin(x, series.values, series.extremes, window, shift);
    const mean = smoothing > 1 ? smooth(x, series.means, smoothing, window, shift) : undefined;
    parts.push(bytes(raw.x), bytes(raw.y));
    if (mean) parts.push(bytes(mean.x), bytes(mean.y));
    const figures = figuresOf(series, x, shift, undefined);
    return {
      root,
      key,
      measure,
      raw: raw.x.length,
      smooth: mean?.x.length ?? 0,
      from: x[0]! + shift,
      to: x.at(-1)! + shift,
      ...(figures ? { figures } : {}),
    };
  });
  const recorded = measureSchema.options.filter((measure) => files.some(({ file }) => file.recorded.includes(measure)));
  return encodeFrame({ kind: "points", id, whole, low, high, recorded, lines }, parts);
}

const bytes = (values: Float64Array): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** The figures of a stretch of x, or of all; undefined where it has no value. Places are on the axis, as `step`. */
export function figuresOf(
  { values, extremes, means }: Series,
  x: Float64Array,
  shift: number,
  range: Range | undefined,
): Figures | undefined {
  let from = range ? firstAtLeast(x, range[0] - shift) : 0;
  let to = range ? firstAfter(x, range[1] - shift) : values.length;
  while (from < to && Number.isNaN(values[from])) from++;
  while (from < to && Number.isNaN(values[to - 1])) to--;
  if (from >= to) return undefined;
  const { low, high } = extremes.find(values, from, to);
  const placed = (at: number) => ({ value: values[at]!, step: x[at]! + shift });
  return {
    count: means.count(from, to),
    mean: means.mean(from, to),
    low: placed(low),
    high: placed(high),
    first: placed(from),
    last: placed(to - 1),
  };
}
