import { html, svg, type TemplateResult } from "lit";
import { type ColorScale, isDark, rampColors, shadeAt, shadeColor } from "../components/colorScale.ts";
import { theme } from "../components/theme.ts";

/** CSS pixels. */
export const barWidth = 420;
const barHeight = 14;
/** Number of coloured pieces of the bar. */
const pieces = 84;

/** The colours of a scale from its low to its high end. */
export function barColors(scale: ColorScale, count = pieces): string[] {
  const colors = rampColors(scale.ramp, isDark(theme().page));
  return Array.from({ length: count }, (_, piece) => shadeColor(colors, shadeAt((piece + 0.5) / count)));
}

/** The ticks that fit, with x in CSS pixels from the left; the uniform value and both ends are always included. */
export function legendTicks(
  { ticks, place, uniform }: ColorScale,
  text: (value: number) => string,
): { x: number; text: string; anchor: "start" | "middle" | "end" }[] {
  const needed = new Set([ticks[0], uniform, ticks.at(-1)]);
  const fixed = ticks.filter((value) => needed.has(value)).map((value) => place(value) * barWidth);
  const taken: number[] = [];
  return ticks.flatMap((value) => {
    const x = place(value) * barWidth;
    const fits = [...fixed, ...taken].every((other) => Math.abs(other - x) > 58);
    if (!needed.has(value) && !fits) return [];
    taken.push(x);
    const anchor = x < 20 ? "start" : x > barWidth - 40 ? "end" : "middle";
    return [{ x, text: value === uniform ? `uniform ${text(value)}` : text(value), anchor }] as const;
  });
}

/** The colour scale of the maps. @param low lowest value shown. @param high highest value shown. */
export function legend(scale: ColorScale, low: number, high: number, text: (value: number) => string): TemplateResult {
  const ticks = legendTicks(scale, text);
  const description = `Colours from ${text(scale.low)} to ${text(scale.high)}${scale.uniform === undefined ? "" : `, uniform ${text(scale.uniform)}`}`;
  const width = barWidth / pieces;
  return html`<p class="scale">
    <svg class="bar" width=${barWidth + 2} height="36" role="img" aria-label=${description}>
      ${barColors(scale).map(
        (color, piece) =>
          svg`<rect x=${1 + piece * width} y="1" width=${width + 0.5} height=${barHeight} fill=${color} />`,
      )}
      <rect class="frame" x="1" y="1" width=${barWidth} height=${barHeight} />
      ${ticks.map(
        ({ x, text: label, anchor }) => svg`<line x1=${1 + x} x2=${1 + x} y1="1" y2=${barHeight + 5} />
          <text x=${1 + x} y="32" text-anchor=${anchor}>${label}</text>`,
      )}
    </svg>
    <span>lowest <strong>${text(low)}</strong>, highest <strong>${text(high)}</strong></span>
  </p>`;
}
