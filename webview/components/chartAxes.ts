import uPlot from "uplot";
import { theme } from "./theme.ts";

/** An axis: its title, and how its values are written. */
export interface ChartAxis {
  title: string;
  ticks(low: number, high: number, wanted: number): number[];
  /** @param step between neighbouring ticks. @param most largest absolute value of all ticks. */
  tick(value: number, step: number, most: number): string;
  exact(value: number): string;
}

/** Room for a tick's text along each axis, CSS pixels. */
const space = { x: 90, y: 40 };

/** How many ticks fit on an axis. @param length CSS pixels. */
export const ticksIn = (length: number, along: "x" | "y"): number => Math.max(2, Math.floor(length / space[along]));

/** The texts of ticks. */
export function tickTexts(axis: ChartAxis, ticks: readonly number[]): string[] {
  const steps = ticks.slice(1).map((value, index) => value - ticks[index]!);
  const most = Math.max(0, ...ticks.map(Math.abs));
  return ticks.map((value) => axis.tick(value, Math.min(...steps, Math.abs(value) || 1), most));
}

interface Options {
  x(): ChartAxis;
  y(): ChartAxis;
  log: boolean;
  size: { width: number; height: number };
  draw(chart: uPlot): void;
}

/** An empty chart with axes; calls `draw` after drawing them. */
export function makeAxes(element: HTMLElement, { x, y, log, size, draw }: Options): uPlot {
  const axis = (of: () => ChartAxis, along: "x" | "y"): uPlot.Axis => ({
    stroke: () => theme().soft,
    font: `11px ${theme().font}`,
    grid: { stroke: () => theme().grid, width: 0.5 },
    ticks: { show: false },
    gap: 6,
    splits: ({ bbox }, _, low, high) =>
      of().ticks(low, high, ticksIn((along === "x" ? bbox.width : bbox.height) / devicePixelRatio, along)),
    filter: (_, splits) => splits,
    values: (_, splits) => tickTexts(of(), splits),
  });
  const scale = (distr: 1 | 3): uPlot.Scale => ({ time: false, distr, range: (_, low, high) => [low, high] });
  const options: uPlot.Options = {
    ...size,
    padding: [10, 14, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { x: scale(1), y: scale(log ? 3 : 1) },
    axes: [
      { ...axis(x, "x"), scale: "x", size: 26 },
      { ...axis(y, "y"), scale: "y", size: 62 },
    ],
    // uPlot needs a series to create a scale; our lines are drawn in the hook.
    series: [{}, { scale: "y", paths: () => null, points: { show: false } }],
    hooks: { draw: [draw] },
  };
  return new uPlot(
    options,
    [
      [0, 1],
      [1, 2],
    ],
    element,
  );
}
