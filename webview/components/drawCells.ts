import { type ColorScale, inkOn, isDark, rampColors, shadeAt } from "./colorScale.ts";
import { theme } from "./theme.ts";

/** The contents of a heat map. */
export interface Cells {
  /** [rows, columns]; NaN for a missing value. */
  values: Float32Array;
  /** Names of rows and columns, in the order of the values. */
  rows: readonly string[];
  columns: readonly string[];
  /** Columns in the order shown, from the left. */
  order: readonly number[];
  scale: ColorScale;
  /** A short form of a value, for cells with enough room. */
  text(value: number): string;
}

/** The rectangle of all cells, CSS pixels of the canvas. */
export interface CellGrid {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Room for the names of rows and columns, and the size of a cell from which on it shows its value, CSS pixels. */
const names = { least: 30, most: 110, letter: 6.6, bottom: 20 };
const readable = { width: 30, height: 15 };
const fontSize = 11;

/** @param rows their names. */
export function cellGrid(width: number, height: number, rows: readonly string[]): CellGrid {
  const longest = rows.reduce((most, name) => Math.max(most, name.length), 0);
  const left = Math.round(Math.min(names.most, Math.max(names.least, 10 + longest * names.letter)));
  return {
    left,
    top: 1,
    width: Math.max(1, width - left - 1),
    height: Math.max(1, height - names.bottom - 1),
  };
}

/** Height of a map, CSS pixels. @param rows how many. */
export const mapHeight = (rows: number): number => {
  const row = rows <= 8 ? 30 : rows <= 16 ? 20 : Math.max(4, 256 / rows);
  return Math.round(rows * row + names.bottom + 2);
};

/** Writes the cells' colours, one pixel each, in display order. @param pixels [rows * columns * 4]. */
export function colorCells(
  pixels: Uint8ClampedArray,
  { values, rows, columns, order, scale }: Cells,
  colors: Uint8ClampedArray,
): void {
  const packed = new Uint32Array(pixels.buffer, pixels.byteOffset, pixels.length / 4);
  const palette = new Uint32Array(colors.buffer, colors.byteOffset, colors.length / 4);
  const wide = columns.length;
  for (let row = 0, at = 0; row < rows.length; row++) {
    for (let place = 0; place < wide; place++, at++) {
      const shade = shadeAt(scale.place(values[row * wide + order[place]!]!));
      packed[at] = shade < 0 ? 0 : palette[shade]!;
    }
  }
}

/** Canvases with one pixel per cell, drawn enlarged; maps of equal size share one. */
const small = new Map<
  string,
  { canvas: OffscreenCanvas; context: OffscreenCanvasRenderingContext2D; image: ImageData }
>();

function smallCanvas(width: number, height: number) {
  const name = `${width} ${height}`;
  let found = small.get(name);
  if (!found) {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d")!;
    found = { canvas, context, image: context.createImageData(width, height) };
    if (small.size >= 8) small.clear();
    small.set(name, found);
  }
  return found;
}

/**
 * Draws cells, names and numbers into a context whose units are CSS pixels.
 *
 * @param named whether the names are drawn already: text takes longer to draw than cells.
 */
export function drawCells(
  context: CanvasRenderingContext2D,
  cells: Cells,
  { left, top, width, height }: CellGrid,
  named = false,
): void {
  const { rows, columns, order, scale, values, text } = cells;
  const { page, soft, grid, ink, font, highContrast } = theme();
  const colors = rampColors(scale.ramp, isDark(page));
  const { canvas, context: narrow, image } = smallCanvas(columns.length, rows.length);
  colorCells(image.data, cells, colors);
  narrow.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, left, top, width, height);
  const [wide, tall] = [width / columns.length, height / rows.length];
  context.font = `${fontSize}px ${font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  if (wide >= readable.width && tall >= readable.height) {
    for (let row = 0; row < rows.length; row++) {
      for (let place = 0; place < columns.length; place++) {
        const value = values[row * columns.length + order[place]!]!;
        const shade = shadeAt(scale.place(value));
        context.fillStyle = shade < 0 ? ink : inkOn(colors, shade);
        context.fillText(text(value), left + (place + 0.5) * wide, top + (row + 0.5) * tall);
      }
    }
  }
  // In high contrast, colour alone must not distinguish cells.
  if (highContrast && wide >= 6 && tall >= 6) {
    context.strokeStyle = grid;
    context.lineWidth = 1;
    context.beginPath();
    for (let row = 0; row <= rows.length; row++) context.rect(left, top + row * tall, width, 0);
    for (let place = 0; place <= columns.length; place++) context.rect(left + place * wide, top, 0, height);
    context.stroke();
  }
  if (named) return;
  context.fillStyle = soft;
  drawNames(context, cells, { left, top, width, height });
}

function drawNames(context: CanvasRenderingContext2D, { rows, columns, order }: Cells, grid: CellGrid): void {
  const { left, top, width, height } = grid;
  const [wide, tall] = [width / columns.length, height / rows.length];
  context.textAlign = "end";
  const everyRow = Math.ceil((fontSize + 3) / tall);
  for (let row = 0; row < rows.length; row += everyRow)
    context.fillText(rows[row]!, left - 6, Math.max(top + fontSize / 2, top + (row + 0.5) * tall), left - 8);
  context.textAlign = "center";
  const named = columns.every((name) => context.measureText(name).width <= wide - 4);
  const everyColumn = named ? 1 : Math.ceil(26 / wide);
  for (let place = 0; place < columns.length; place += everyColumn) {
    const column = order[place]!;
    const name = named ? columns[column]! : String(column + 1);
    const most = left + width - context.measureText(name).width / 2;
    context.fillText(name, Math.min(most, left + (place + 0.5) * wide), top + height + 11);
  }
}
