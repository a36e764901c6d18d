import { theme } from "../components/theme.ts";
import type { Host } from "../host.ts";
import { drawFigure, type Figure, type FigurePen, figureSize } from "./figure.ts";
import { svgOf } from "./svgPen.ts";

/** Pixels of the picture a CSS pixel: sharp on paper. */
const scale = 2;

class CanvasPen implements FigurePen {
  readonly #context: CanvasRenderingContext2D;

  constructor(context: CanvasRenderingContext2D) {
    this.#context = context;
  }

  rectangle(x: number, y: number, width: number, height: number, color: string): void {
    this.#context.fillStyle = color;
    this.#context.fillRect(x, y, width, height);
  }

  /** From whole pixel to whole pixel: no seam is seen between cells. */
  cells(...[colors, columns, { x, y, width, height }]: Parameters<FigurePen["cells"]>): void {
    const rows = Math.ceil(colors.length / columns);
    const whole = (value: number) => Math.round(value * scale) / scale;
    for (const [cell, color] of colors.entries()) {
      if (color === undefined) continue;
      const [column, row] = [cell % columns, Math.floor(cell / columns)];
      const [left, top] = [whole(x + (column * width) / columns), whole(y + (row * height) / rows)];
      const right = whole(x + ((column + 1) * width) / columns);
      this.rectangle(left, top, right - left, whole(y + ((row + 1) * height) / rows) - top, color);
    }
  }

  text(...[text, x, y, { color, size, anchor, bold }]: Parameters<FigurePen["text"]>): void {
    this.#context.font = `${bold ? "600 " : ""}${size}px system-ui, sans-serif`;
    this.#context.fillStyle = color;
    this.#context.textAlign = anchor === "middle" ? "center" : anchor;
    this.#context.fillText(text, x, y);
  }
}

function pngOf(figure: Figure): Promise<Blob> {
  const { width, height } = figureSize(figure);
  const canvas = document.createElement("canvas");
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d")!;
  context.scale(scale, scale);
  drawFigure(new CanvasPen(context), figure, theme());
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large"))), "image/png");
  });
}

/** Saves maps as a picture, or all their values. @returns where they were saved; undefined when nowhere. */
export async function saveMaps(
  kind: "png" | "svg" | "csv",
  host: Host,
  figure: Figure & { csv(): string },
): Promise<string | undefined> {
  const piece = kind === "csv" ? figure.csv() : kind === "svg" ? svgOf(figure, theme()) : await pngOf(figure);
  const bytes = new Uint8Array(await new Blob([piece]).arrayBuffer());
  const name = figure.title.replace(/: routing$/, "-routing").replaceAll(/[^\p{L}\p{N}._-]+/gu, "-");
  return host.save(`${name}.${kind}`, bytes);
}
