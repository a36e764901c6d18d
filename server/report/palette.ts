/** The colours of the routing heatmaps: one hue from pale to deep, so that lightness alone conveys the value. */

type Rgb = readonly [number, number, number];

/** Colours at share 0, at the uniform share and at share 1. */
const STOPS: Readonly<Record<"light" | "dark", readonly [Rgb, Rgb, Rgb]>> = {
  light: [
    [244, 247, 251],
    [132, 178, 217],
    [13, 52, 94],
  ],
  dark: [
    [26, 35, 47],
    [58, 112, 163],
    [214, 236, 255],
  ],
};
export const STEPS = 21;

/** Contrast of WCAG 2: relative luminance of an sRGB colour. */
function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((channel) => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Contrast ratio of two colours, 1..21 (WCAG 2). */
export function contrast(a: Rgb, b: Rgb): number {
  const [x, y] = [luminance(a) + 0.05, luminance(b) + 0.05];
  return Math.max(x, y) / Math.min(x, y);
}

/** Black and white: the better of the two has a contrast of at least 4.58 on any colour. */
const INKS: readonly Rgb[] = [
  [0, 0, 0],
  [255, 255, 255],
];

export interface Step {
  fill: Rgb;
  /** The text colour with the better contrast on `fill`. */
  ink: Rgb;
}

/** The steps of the scale from share 0 to share 1; the uniform share is the middle one. */
export function paletteSteps(theme: "light" | "dark"): Step[] {
  const stops = STOPS[theme];
  return Array.from({ length: STEPS }, (_, index) => {
    const place = (index / (STEPS - 1)) * 2;
    const [from, to] = place <= 1 ? [stops[0], stops[1]] : [stops[1], stops[2]];
    const part = place <= 1 ? place : place - 1;
    const mixed = from.map((channel, at) => Math.round(channel + ((to[at] ?? 0) - channel) * part));
    const fill: Rgb = [mixed[0] ?? 0, mixed[1] ?? 0, mixed[2] ?? 0];
    const ink = INKS.reduce((a, b) => (contrast(fill, a) >= contrast(fill, b) ? a : b));
    return { fill, ink };
  });
}

/** The step for a routed share in 0..1: the first for 0, the middle one for `uniform` (K/E), the last for 1. */
export function stepOf(share: number, uniform: number): number {
  const value = Math.min(1, Math.max(0, share));
  const place = value <= uniform ? (value / uniform) * 0.5 : 0.5 + ((value - uniform) / (1 - uniform)) * 0.5;
  return Math.round((Number.isFinite(place) ? place : 0) * (STEPS - 1));
}

const css = (rgb: Rgb) => `rgb(${rgb.join(" ")})`;

/** Custom properties `--h0`, `--t0`, ... (fill and ink of each step) of a theme. */
export function paletteCss(theme: "light" | "dark"): string {
  return paletteSteps(theme)
    .map(({ fill, ink }, index) => `--h${index}:${css(fill)};--t${index}:${css(ink)};`)
    .join("");
}

/** Classes `h0`, `t0`, ... that use the properties. */
export function paletteClasses(): string {
  return Array.from({ length: STEPS }, (_, i) => `.h${i}{fill:var(--h${i})}.t${i}{fill:var(--t${i})}`).join("");
}
