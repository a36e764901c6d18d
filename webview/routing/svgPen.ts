import { escapeHtml } from "../../server/protocol/escapeHtml.ts";
import { drawFigure, type Figure, type FigureColors, type FigurePen, figureSize } from "./figure.ts";

const at = (value: number): string => String(Math.round(value * 10_000) / 10_000);

class SvgPen implements FigurePen {
  readonly parts: string[] = [];

  rectangle(x: number, y: number, width: number, height: number, color: string): void {
    this.parts.push(
      `<rect x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}" fill="${escapeHtml(color)}"/>`,
    );
  }

  /** One path a colour: a map of ten thousand cells is a file of some hundred kilobytes. */
  cells(...[colors, columns, { x, y, width, height }]: Parameters<FigurePen["cells"]>): void {
    const paths = new Map<string, string[]>();
    for (const [cell, color] of colors.entries()) {
      if (color === undefined) continue;
      const path = paths.get(color) ?? [];
      path.push(`M${cell % columns} ${Math.floor(cell / columns)}h1v1h-1z`);
      paths.set(color, path);
    }
    const rows = Math.ceil(colors.length / columns);
    const scale = `translate(${at(x)} ${at(y)}) scale(${at(width / columns)} ${at(height / rows)})`;
    const drawn = [...paths].map(([color, path]) => `<path fill="${color}" d="${path.join("")}"/>`);
    this.parts.push(`<g transform="${scale}" shape-rendering="crispEdges">\n${drawn.join("\n")}\n</g>`);
  }

  text(...[text, x, y, { color, size, anchor, bold }]: Parameters<FigurePen["text"]>): void {
    const weight = bold ? ' font-weight="600"' : "";
    this.parts.push(
      `<text x="${at(x)}" y="${at(y)}" fill="${escapeHtml(color)}" font-size="${size}" text-anchor="${anchor}"${weight}>${escapeHtml(text)}</text>`,
    );
  }
}

/** A picture as the text of an SVG file, which needs nothing else. */
export function svgOf(figure: Figure, colors: FigureColors): string {
  const { width, height } = figureSize(figure);
  const pen = new SvgPen();
  drawFigure(pen, figure, colors);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" role="img">
<title>${escapeHtml(figure.title)}</title>
${pen.parts.join("\n")}
</svg>
`;
}
