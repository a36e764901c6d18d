import { escapeHtml } from "../../server/protocol/escapeHtml.ts";
import type { LineStyle } from "./drawLines.ts";
import type { Figure, FigurePen, Rectangle, TextStyle } from "./figurePen.ts";

/** @param digits after the point. */
const rounded = (value: number, digits = 2): string => String(Number(value.toFixed(digits)));

class SvgPen implements FigurePen {
  readonly parts: string[] = [];
  #clips = 0;
  #clipped = "";

  line(points: Float64Array, { color, width, dash, opacity }: LineStyle): void {
    const path: string[] = [];
    for (let index = 0; index < points.length; index += 2)
      path.push(`${index === 0 ? "M" : "L"}${rounded(points[index]!)} ${rounded(points[index + 1]!)}`);
    if (path.length === 1) path.push("h1");
    const dashes = dash.length > 0 ? ` stroke-dasharray="${dash.join(" ")}"` : "";
    const faint = opacity < 1 ? ` stroke-opacity="${opacity}"` : "";
    this.parts.push(
      `<path d="${path.join("")}" fill="none" stroke="${escapeHtml(color)}" stroke-width="${width}" stroke-linejoin="round"${dashes}${faint}${this.#clipped}/>`,
    );
  }

  clip(box: Rectangle | undefined): void {
    if (!box) {
      this.#clipped = "";
      return;
    }
    const id = `clip${this.#clips++}`;
    this.parts.push(`<clipPath id="${id}"><rect ${placed(box)}/></clipPath>`);
    this.#clipped = ` clip-path="url(#${id})"`;
  }

  rectangle(box: Rectangle, color: string): void {
    this.parts.push(`<rect ${placed(box)} fill="${escapeHtml(color)}"/>`);
  }

  /** One path per colour keeps a map of ten thousand cells at a few hundred kilobytes. */
  cells(colors: readonly (string | undefined)[], columns: number, { left, top, width, height }: Rectangle): void {
    const paths = new Map<string, string[]>();
    for (const [cell, color] of colors.entries()) {
      if (color === undefined) continue;
      const path = paths.get(color) ?? [];
      path.push(`M${cell % columns} ${Math.floor(cell / columns)}h1v1h-1z`);
      paths.set(color, path);
    }
    const rows = Math.ceil(colors.length / columns);
    const size = `${rounded(width / columns, 4)} ${rounded(height / rows, 4)}`;
    const drawn = [...paths].map(([color, path]) => `<path fill="${color}" d="${path.join("")}"/>`);
    this.parts.push(
      `<g transform="translate(${rounded(left)} ${rounded(top)}) scale(${size})" shape-rendering="crispEdges">\n${drawn.join("\n")}\n</g>`,
    );
  }

  text(text: string, x: number, y: number, { color, size, anchor, bold }: TextStyle): void {
    const weight = bold ? ' font-weight="600"' : "";
    this.parts.push(
      `<text x="${rounded(x)}" y="${rounded(y)}" fill="${escapeHtml(color)}" font-size="${size}" text-anchor="${anchor}"${weight}>${escapeHtml(text)}</text>`,
    );
  }
}

const placed = ({ left, top, width, height }: Rectangle): string =>
  `x="${rounded(left)}" y="${rounded(top)}" width="${rounded(width)}" height="${rounded(height)}"`;

/** A figure as a self-contained SVG file. */
export function svgOf({ title, width, height, draw }: Figure): string {
  const pen = new SvgPen();
  draw(pen);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" role="img">
<title>${escapeHtml(title)}</title>
${pen.parts.join("\n")}
</svg>
`;
}
