import { inkOn, isDark, rampColors, shadeAt, shadeColor } from "../components/colorScale.ts";
import type { Figure, FigurePen, Rectangle } from "../components/figurePen.ts";
import type { Theme } from "../components/theme.ts";
import { barColors, barWidth, legendTicks } from "./legend.ts";
import type { MapView, Picture } from "./picture.ts";

/** The maps as one figure to save. */

export interface Maps {
  title: string;
  subtitle: string;
  picture: Picture;
}

const margin = 16;
const head = 44;
const foot = 52;
const caption = 20;
const left = 34;
const bottom = 26;
const gap = 18;
const maxAcross = 4;

interface Layout {
  across: number;
  /** Size of a map's cells together. */
  mapWidth: number;
  mapHeight: number;
  width: number;
  height: number;
}

function layoutOf({ maps }: Picture): Layout {
  const { rows, columns } = maps[0]!.cells;
  const cellWidth = columns.length <= 8 ? 44 : columns.length <= 32 ? 16 : 4;
  const cellHeight = rows.length <= 16 ? 20 : 4;
  const mapWidth = Math.max(180, columns.length * cellWidth);
  const mapHeight = Math.max(40, rows.length * cellHeight);
  const across = Math.min(maxAcross, maps.length);
  const down = Math.ceil(maps.length / across);
  const width = Math.max(barWidth + 220, across * (mapWidth + left + gap)) + 2 * margin;
  return {
    across,
    mapWidth,
    mapHeight,
    width,
    height: head + down * (caption + mapHeight + bottom + gap) + foot + 2 * margin,
  };
}

export function figureOf(maps: Maps, theme: Theme): Figure {
  const layout = layoutOf(maps.picture);
  const { width, height } = layout;
  return { title: maps.title, width, height, draw: (pen) => draw(pen, maps, layout, theme) };
}

function draw(pen: FigurePen, { title, subtitle, picture }: Maps, layout: Layout, theme: Theme): void {
  const { across, mapWidth, mapHeight, width, height } = layout;
  const { ink, soft, page } = theme;
  pen.rectangle({ left: 0, top: 0, width, height }, page);
  pen.text(title, margin, margin + 14, { color: ink, size: 16, anchor: "start", bold: true });
  pen.text(subtitle, margin, margin + 32, { color: soft, size: 12, anchor: "start" });
  for (const [index, map] of picture.maps.entries()) {
    const x = margin + (index % across) * (mapWidth + left + gap) + left;
    const y = margin + head + Math.floor(index / across) * (caption + mapHeight + bottom + gap);
    pen.text(map.title, x, y + 12, { color: ink, size: 12, anchor: "start", bold: true });
    drawMap(pen, map, { left: x, top: y + caption, width: mapWidth, height: mapHeight }, theme);
  }
  const y = height - margin - foot + 12;
  const bar = barColors(picture.scale);
  pen.cells(bar, bar.length, { left: margin, top: y, width: barWidth, height: 14 });
  for (const { x, text, anchor } of legendTicks(picture.scale, picture.text)) {
    pen.rectangle({ left: margin + x - 0.5, top: y, width: 1, height: 18 }, soft);
    pen.text(text, margin + x, y + 32, { color: soft, size: 11, anchor });
  }
  const ends = `lowest ${picture.text(picture.low)}, highest ${picture.text(picture.high)}`;
  pen.text(ends, margin + barWidth + 20, y + 12, { color: ink, size: 12, anchor: "start" });
}

function drawMap(
  pen: FigurePen,
  { cells: { values, rows, columns, order, scale, text } }: MapView,
  box: Rectangle,
  { page, ink, soft }: Theme,
): void {
  const ramp = rampColors(scale.ramp, isDark(page));
  const shown = rows.flatMap((_, row) => order.map((column) => values[row * columns.length + column]!));
  const shades = shown.map((value) => shadeAt(scale.place(value)));
  pen.cells(
    shades.map((shade) => (shade < 0 ? undefined : shadeColor(ramp, shade))),
    columns.length,
    box,
  );
  const [wide, tall] = [box.width / columns.length, box.height / rows.length];
  const small = { color: soft, size: 11 } as const;
  const middle = (row: number) => box.top + (row + 0.5) * tall + 4;
  for (let row = 0; row < rows.length; row += Math.ceil(13 / tall))
    pen.text(rows[row]!, box.left - 6, middle(row), { ...small, anchor: "end" });
  const named = columns.every((name) => name.length * 6.5 < wide);
  for (let place = 0; place < columns.length; place += named ? 1 : Math.ceil(26 / wide)) {
    const column = order[place]!;
    const name = named ? columns[column]! : String(column + 1);
    pen.text(name, box.left + (place + 0.5) * wide, box.top + box.height + 14, { ...small, anchor: "middle" });
  }
  if (wide < 30 || tall < 15) return;
  for (const [at, value] of shown.entries()) {
    const color = shades[at]! < 0 ? ink : inkOn(ramp, shades[at]!);
    const x = box.left + ((at % columns.length) + 0.5) * wide;
    pen.text(text(value), x, middle(Math.floor(at / columns.length)), { color, size: 11, anchor: "middle" });
  }
}
