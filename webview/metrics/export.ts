import { CanvasPen } from "../components/drawLines.ts";
import { theme } from "../components/theme.ts";
import type { Host } from "../host.ts";
import { drawFigure, type Figure, type FigurePen, figureSize } from "./figure.ts";
import { svgOf } from "./svgPen.ts";

/** Pixels of the picture a CSS pixel: sharp on paper. */
const scale = 2;

class FigureCanvasPen extends CanvasPen implements FigurePen {
  readonly #context: CanvasRenderingContext2D;

  constructor(context: CanvasRenderingContext2D) {
    super(context, scale);
    this.#context = context;
  }

  clip(box: Parameters<FigurePen["clip"]>[0]): void {
    if (!box) {
      this.#context.restore();
      return;
    }
    this.#context.save();
    this.#context.beginPath();
    this.#context.rect(box.left, box.top, box.width, box.height);
    this.#context.clip();
  }

  text(text: string, x: number, y: number, { color, size, anchor, bold }: Parameters<FigurePen["text"]>[3]): void {
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
  context.fillStyle = theme().page;
  context.fillRect(0, 0, width, height);
  drawFigure(new FigureCanvasPen(context), figure, theme());
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large"))), "image/png");
  });
}

/** Saves charts as a picture, or all their recorded values. @returns where they were saved; undefined when nowhere. */
export async function saveCharts(
  kind: "png" | "svg" | "csv",
  host: Host,
  { rows, ...figure }: Figure & { rows(): Promise<Uint8Array<ArrayBuffer>[]> },
): Promise<string | undefined> {
  const pieces = kind === "csv" ? await rows() : [kind === "svg" ? svgOf(figure, theme()) : await pngOf(figure)];
  const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
  const name = figure.title.replace(/: metrics$/, "-metrics").replaceAll(/[^\p{L}\p{N}._-]+/gu, "-");
  return host.save(`${name}.${kind}`, bytes);
}
