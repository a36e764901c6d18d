import type { LineStyle, Pen, Plot } from "./drawLines.ts";

/**
 * Draws lines pixel by pixel, for fast redrawing without a GPU: browsers take many times as long to stroke thousands
 * of points. x is ascending, so a line covers one span of each pixel column.
 */
export class QuickPen implements Pen {
  #plot: Plot | undefined;
  #ratio = 1;
  /** By opacity: lines in one layer do not show through each other. */
  readonly #layers = new Map<number, Layer>();

  /** Starts a new picture. @param ratio pixels per CSS pixel. */
  begin(plot: Plot, ratio = devicePixelRatio): void {
    this.#plot = plot;
    this.#ratio = ratio;
    for (const [opacity, layer] of this.#layers) layer.begin(plot, scaleOf(opacity, ratio));
  }

  line(points: Float64Array, style: LineStyle): void {
    let layer = this.#layers.get(style.opacity);
    if (!layer) {
      layer = new Layer();
      layer.begin(this.#plot!, scaleOf(style.opacity, this.#ratio));
      this.#layers.set(style.opacity, layer);
    }
    layer.line(points, style);
  }

  /** Draws the picture into a context whose units are CSS pixels, faintest lines first. */
  show(context: CanvasRenderingContext2D): void {
    for (const [opacity, layer] of [...this.#layers].sort(([a], [b]) => a - b)) {
      context.globalAlpha = opacity;
      layer.show(context);
    }
    context.globalAlpha = 1;
  }
}

/** Pixels per CSS pixel; faint lines are drawn coarsely. */
const scaleOf = (opacity: number, ratio: number): number => (opacity < 1 ? ratio / 2 : ratio);

class Layer {
  readonly #canvas = document.createElement("canvas");
  readonly #context = this.#canvas.getContext("2d", { willReadFrequently: true })!;
  #plot!: Plot;
  #scale = 1;
  #image!: ImageData;
  #pixels = new Uint32Array();
  #low = new Float32Array();
  #high = new Float32Array();

  begin(plot: Plot, scale: number): void {
    this.#plot = plot;
    this.#scale = scale;
    const width = Math.max(1, Math.round(plot.width * scale));
    const height = Math.max(1, Math.round(plot.height * scale));
    if (this.#image?.width === width && this.#image.height === height) {
      this.#pixels.fill(0);
      return;
    }
    this.#canvas.width = width;
    this.#canvas.height = height;
    this.#image = this.#context.createImageData(width, height);
    this.#pixels = new Uint32Array(this.#image.data.buffer);
    this.#low = new Float32Array(width);
    this.#high = new Float32Array(width);
  }

  line(points: Float64Array, { color, width, dash }: LineStyle): void {
    const [low, high, scale, pixels] = [this.#low, this.#high, this.#scale, this.#pixels];
    const { left, top } = this.#plot;
    columnSpans(points, { left, top, scale }, low, high);
    const paint = pixelOf(this.#context, color);
    const thickness = Math.max(1, Math.round(width * scale));
    const columns = low.length;
    const rows = pixels.length / columns;
    for (let column = 0; column < columns; column++) {
      if (low[column]! > high[column]! || (dash.length > 0 && isGap(column / scale, dash))) continue;
      const from = Math.round(low[column]! - thickness / 2);
      const to = Math.min(rows, Math.max(from + thickness, Math.round(high[column]! + thickness / 2)));
      const end = to * columns;
      for (let at = Math.max(0, from) * columns + column; at < end; at += columns) pixels[at] = paint;
    }
  }

  show(context: CanvasRenderingContext2D): void {
    this.#context.putImageData(this.#image, 0, 0);
    const { left, top, width, height } = this.#plot;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#canvas, left, top, width, height);
  }
}

/** Top left corner, CSS pixels, and pixels per CSS pixel. */
interface Grid {
  left: number;
  top: number;
  scale: number;
}

/**
 * The lowest and highest y of a line in each pixel column, in pixels; low > high where the line is absent.
 *
 * @param points x and y of each point in turn, CSS pixels; x is ascending.
 */
export function columnSpans(points: Float64Array, grid: Grid, low: Float32Array, high: Float32Array): void {
  low.fill(Number.POSITIVE_INFINITY);
  high.fill(Number.NEGATIVE_INFINITY);
  const put = (column: number, y: number): void => {
    if (y < low[column]!) low[column] = y;
    if (y > high[column]!) high[column] = y;
  };
  let [x, y] = [0, 0];
  for (let at = 0; at < points.length; at += 2) {
    const nextX = (points[at]! - grid.left) * grid.scale;
    const nextY = (points[at + 1]! - grid.top) * grid.scale;
    if (at === 0) [x, y] = [nextX, nextY];
    const first = Math.max(0, Math.floor(x));
    const last = Math.min(low.length - 1, Math.floor(nextX));
    const slope = nextX > x ? (nextY - y) / (nextX - x) : 0;
    for (let column = first; column <= last; column++) {
      put(column, column > x ? y + (column - x) * slope : y);
      put(column, column + 1 < nextX ? y + (column + 1 - x) * slope : nextY);
    }
    [x, y] = [nextX, nextY];
  }
}

/**
 * Whether a place is between two dashes. @param place along the line, CSS pixels. @param dash lengths of dashes and
 * gaps, CSS pixels.
 */
function isGap(place: number, dash: readonly number[]): boolean {
  let rest = place % dash.reduce((sum, length) => sum + length, 0);
  for (const [index, length] of dash.entries()) {
    if (rest < length) return index % 2 === 1;
    rest -= length;
  }
  return false;
}

/** Colours as pixels of a canvas. */
const known = new Map<string, number>();

function pixelOf(context: CanvasRenderingContext2D, color: string): number {
  let pixel = known.get(color);
  if (pixel === undefined) {
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    pixel = new Uint32Array(context.getImageData(0, 0, 1, 1).data.buffer)[0]!;
    known.set(color, pixel);
  }
  return pixel;
}
