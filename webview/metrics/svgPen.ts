import { escapeHtml } from "../../server/protocol/escapeHtml.ts";
import type { LineStyle } from "../components/drawLines.ts";
import { drawFigure, type Figure, type FigureColors, type FigurePen, figureSize } from "./figure.ts";

const at = (value: number): string => String(Math.round(value * 100) / 100);

class SvgPen implements FigurePen {
  readonly parts: string[] = [];
  #clips = 0;
  #clipped = "";

  line(points: Float64Array, { color, width, dash, opacity }: LineStyle): void {
    const path: string[] = [];
    for (let index = 0; index < points.length; index += 2)
      path.push(`${index === 0 ? "M" : "L"}${at(points[index]!)} ${at(points[index + 1]!)}`);
    if (path.length === 1) path.push("h1");
    const dashes = dash.length > 0 ? ` stroke-dasharray="${dash.join(" ")}"` : "";
    const faint = opacity < 1 ? ` stroke-opacity="${opacity}"` : "";
    this.parts.push(
      `<path d="${path.join("")}" fill="none" stroke="${escapeHtml(color)}" stroke-width="${width}" stroke-linejoin="round"${dashes}${faint}${this.#clipped}/>`,
    );
  }

  clip(box: Parameters<FigurePen["clip"]>[0]): void {
    if (!box) {
      this.#clipped = "";
      return;
    }
    const id = `clip${this.#clips++}`;
    const [x, y, width, height] = [box.left, box.top, box.width, box.height].map(at);
    this.parts.push(`<clipPath id="${id}"><rect x="${x}" y="${y}" width="${width}" height="${height}"/></clipPath>`);
    this.#clipped = ` clip-path="url(#${id})"`;
  }

  text(text: string, x: number, y: number, { color, size, anchor, bold }: Parameters<FigurePen["text"]>[3]): void {
    const weight = bold ? ' font-weight="600"' : "";
    this.parts.push(
      `<text x="${at(x)}" y="${at(y)}" fill="${escapeHtml(color)}" font-size="${size}" text-anchor="${anchor}"${weight}>${escapeHtml(text)}</text>`,
    );
  }
}

/** A picture as the text of an SVG file, which needs nothing else. */
export function svgOf(figure: Figure, colors: FigureColors & { page: string }): string {
  const { width, height } = figureSize(figure);
  const pen = new SvgPen();
  drawFigure(pen, figure, colors);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" role="img">
<title>${escapeHtml(figure.title)}</title>
<rect width="100%" height="100%" fill="${escapeHtml(colors.page)}"/>
${pen.parts.join("\n")}
</svg>
`;
}
