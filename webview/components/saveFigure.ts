import type { Host } from "../host.ts";
import { fileName } from "./csv.ts";
import { CanvasFigurePen, type Figure } from "./figurePen.ts";
import { svgOf } from "./svgPen.ts";

/** Image pixels per CSS pixel, enough for sharp print. */
const scale = 2;

function pngOf({ width, height, draw }: Figure): Promise<Uint8Array<ArrayBuffer>> {
  const canvas = document.createElement("canvas");
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d")!;
  context.scale(scale, scale);
  draw(new CanvasFigurePen(context, scale));
  return pngBytes(canvas);
}

/** @throws Error if the canvas is too large for the browser. */
export async function pngBytes(canvas: HTMLCanvasElement): Promise<Uint8Array<ArrayBuffer>> {
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("the picture is too large");
  return new Uint8Array(await blob.arrayBuffer());
}

export type FigureKind = "png" | "svg" | "csv";

/**
 * Lets the user save a figure, or its values.
 *
 * @param values as CSV. @returns where it was saved; undefined if the user cancelled.
 */
export async function saveFigure(
  kind: FigureKind,
  host: Host,
  figure: Figure,
  values: () => BlobPart[] | Promise<BlobPart[]>,
): Promise<string | undefined> {
  const parts = kind === "csv" ? await values() : [kind === "svg" ? svgOf(figure) : await pngOf(figure)];
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return host.save(fileName(figure.title, kind), bytes);
}
