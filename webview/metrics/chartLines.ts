import type { Measure } from "../../server/protocol/stream.ts";
import type { ChartLine } from "../components/chartLine.ts";
import { chartColor } from "../components/theme.ts";
import type { MetricsData } from "./metricsData.ts";

const empty = new Float64Array(0);

/** The lines of one measure's chart, in the order of the series. @param smooth adds smoothed lines. */
export function chartLines(data: MetricsData, measure: Measure, smooth: boolean): ChartLine[] {
  const lines = data.lines.get(measure);
  return data.drawn.flatMap(({ id, label, color, dash }): ChartLine[] => {
    const line = lines?.get(id);
    if (!line) return [];
    const { x, y, smoothX, smoothY } = line;
    return [
      {
        id,
        label,
        color: chartColor(color),
        dash,
        x,
        y,
        smoothX: smooth ? smoothX : empty,
        smoothY: smooth ? smoothY : empty,
      },
    ];
  });
}
