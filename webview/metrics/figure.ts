import { type ChartAxis, ticksIn, tickTexts } from "../components/chartAxes.ts";
import type { ChartLine } from "../components/chartLine.ts";
import { drawLines, type Plot, placeX, placeY } from "../components/drawLines.ts";
import type { Figure, FigurePen } from "../components/figurePen.ts";
import type { Theme } from "../components/theme.ts";

/** The charts as one figure to save. */

export interface Charts {
  title: string;
  charts: { title: string; plot: Plot; axisX: ChartAxis; axisY: ChartAxis; lines: readonly ChartLine[] }[];
  legend: { label: string; color: string; dash: readonly number[] }[];
}

const margin = 16;
const legendColumn = 230;
const legendRow = 20;
const head = 34;
const chartHead = 24;
const axisRoom = { left: 66, bottom: 42 };

export function figureOf(charts: Charts, theme: Theme): Figure {
  const size = sizeOf(charts);
  return { title: charts.title, ...size, draw: (pen) => draw(pen, charts, size, theme) };
}

/** CSS pixels. */
function sizeOf({ charts, legend }: Charts): { width: number; height: number } {
  const width = Math.max(480, ...charts.map(({ plot }) => plot.width + axisRoom.left)) + 2 * margin;
  const columns = Math.max(1, Math.floor((width - 2 * margin) / legendColumn));
  const rows = Math.ceil(legend.length / columns);
  const plots = charts.reduce((sum, { plot }) => sum + chartHead + plot.height + axisRoom.bottom, 0);
  return { width, height: Math.round(margin + head + plots + rows * legendRow + margin) };
}

function draw(
  pen: FigurePen,
  figure: Charts,
  { width, height }: { width: number; height: number },
  { page, ink, soft, grid, highContrast }: Theme,
): void {
  pen.rectangle({ left: 0, top: 0, width, height }, page);
  let top = margin;
  pen.text(figure.title, margin, top + 16, { color: ink, size: 16, anchor: "start", bold: true });
  top += head;
  for (const { title, plot: shown, axisX, axisY, lines } of figure.charts) {
    pen.text(title, margin, top + 12, { color: ink, size: 12, anchor: "start" });
    top += chartHead;
    const plot: Plot = { ...shown, left: margin + axisRoom.left, top };
    const right = plot.left + plot.width;
    const bottom = plot.top + plot.height;
    const rule = (points: number[]) =>
      pen.line(Float64Array.from(points), { color: grid, width: 0.5, dash: [], opacity: 1 });
    const ys = axisY.ticks(...plot.y, ticksIn(plot.height, "y"));
    for (const [index, text] of tickTexts(axisY, ys).entries()) {
      const y = placeY(plot, ys[index]!);
      rule([plot.left, y, right, y]);
      pen.text(text, plot.left - 8, y + 4, { color: soft, size: 11, anchor: "end" });
    }
    const xs = axisX.ticks(...plot.x, ticksIn(plot.width, "x"));
    for (const [index, text] of tickTexts(axisX, xs).entries()) {
      const x = placeX(plot, xs[index]!);
      rule([x, plot.top, x, bottom]);
      pen.text(text, x, bottom + 16, { color: soft, size: 11, anchor: "middle" });
    }
    pen.text(axisX.title, right, bottom + 32, { color: soft, size: 11, anchor: "end" });
    pen.clip(plot);
    drawLines(pen, plot, lines, { highContrast });
    pen.clip(undefined);
    top = bottom + axisRoom.bottom;
  }
  const columns = Math.max(1, Math.floor((width - 2 * margin) / legendColumn));
  for (const [index, { label, color, dash }] of figure.legend.entries()) {
    const x = margin + (index % columns) * legendColumn;
    const y = top + Math.floor(index / columns) * legendRow + 10;
    pen.line(Float64Array.of(x, y, x + 28, y), { color, width: 2, dash, opacity: 1 });
    pen.text(label, x + 36, y + 4, { color: ink, size: 12, anchor: "start" });
  }
}
