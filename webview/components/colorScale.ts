/** Maps numbers to colours: a scale places values on a ramp from 0 to 1, and the ramp holds the colours. */

export interface ColorScale {
  ramp: "sequential" | "diverging";
  /** The position of a value on the ramp, 0..1; NaN for NaN. */
  place(value: number): number;
  /** Both ends of the ramp. */
  low: number;
  high: number;
  /** Values for a legend, ascending, including both ends. */
  ticks: readonly number[];
  /** The value of a router without preferences, at which the scale is anchored. */
  uniform: number | undefined;
}

/** The position of the uniform value on every anchored ramp. */
export const anchor = 1 / 3;

const clamped = (share: number): number => (share < 0 ? 0 : share > 1 ? 1 : share);

/**
 * A scale that is linear from 0 to the uniform value, over a third of the ramp, and logarithmic beyond, up to the
 * first doubling of the uniform value that is at least `most`.
 *
 * @param limit upper bound of all values; the scale ends there.
 */
export function anchoredScale(uniform: number, most: number, limit = 1): ColorScale {
  const doublings = Math.max(1, Math.ceil(Math.log2(Math.max(most, uniform) / uniform) - 1e-6));
  const high = Math.max(Math.min(uniform * 2 ** doublings, limit), uniform * 1.0001);
  const length = Math.log2(high / uniform);
  const ticks = [0, uniform];
  for (let value = uniform * 2; value < high * 0.999; value *= 2) ticks.push(value);
  return {
    ramp: "sequential",
    place: (value) =>
      value <= uniform
        ? clamped((anchor * value) / uniform)
        : clamped(anchor + ((1 - anchor) * Math.log2(value / uniform)) / length),
    low: 0,
    high,
    ticks: [...ticks, high],
    uniform,
  };
}

/** A value rounded up to 1, 2 or 5 times a power of ten; at least 0.001. */
function roundedUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 0.001)));
  return (
    [1, 2, 5].map((one) => Number((one * power).toPrecision(1))).find((one) => one >= value) ??
    Number((10 * power).toPrecision(1))
  );
}

/** A linear scale from 0. */
export function linearScale(most: number): ColorScale {
  const high = roundedUp(most);
  return {
    ramp: "sequential",
    place: (value) => clamped(value / high),
    low: 0,
    high,
    ticks: [0, high / 2, high],
    uniform: undefined,
  };
}

/** A linear scale of differences with 0 in the middle. @param most largest absolute difference. */
export function divergingScale(most: number): ColorScale {
  const high = roundedUp(most);
  return {
    ramp: "diverging",
    place: (value) => clamped(0.5 + value / (2 * high)),
    low: -high,
    high,
    ticks: [-high, 0, high],
    uniform: undefined,
  };
}

/**
 * Evenly spaced colours of the ColorBrewer ramps YlGnBu and PuOr (Harrower & Brewer 2003), which are safe for all
 * kinds of colour blindness. On a dark page the sequential ramp is reversed, and the middle of differences is dark.
 */
const light = {
  sequential: ["ffffd9", "edf8b1", "c7e9b4", "7fcdbb", "41b6c4", "1d91c0", "225ea8", "253494", "081d58"],
  diverging: ["b35806", "e08214", "fdb863", "fee0b6", "f7f7f7", "d8daeb", "b2abd2", "8073ac", "542788"],
} as const;
const dark = {
  sequential: [...light.sequential].reverse(),
  diverging: ["fdc98a", "e08214", "9a5a12", "553617", "2a2a2a", "352f4d", "5e5390", "8f82c4", "cdc6ee"],
} as const;

/** Number of shades of a ramp, more than an eye can distinguish. */
export const shades = 256;

/** The colours of a ramp as RGBA bytes, [shades * 4]. */
export function rampColors(ramp: ColorScale["ramp"], onDark: boolean): Uint8ClampedArray {
  const stops = (onDark ? dark : light)[ramp].map((hex) =>
    [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)),
  );
  const bytes = new Uint8ClampedArray(shades * 4);
  for (let shade = 0; shade < shades; shade++) {
    const at = (shade / (shades - 1)) * (stops.length - 1);
    const from = Math.min(stops.length - 2, Math.floor(at));
    for (let channel = 0; channel < 3; channel++) {
      const [a, b] = [stops[from]![channel]!, stops[from + 1]![channel]!];
      bytes[shade * 4 + channel] = a + (b - a) * (at - from);
    }
    bytes[shade * 4 + 3] = 255;
  }
  return bytes;
}

/** The shade at a position on the ramp; -1 for NaN. */
export const shadeAt = (place: number): number => (place >= 0 ? Math.round(place * (shades - 1)) : -1);

/** A shade as a CSS colour, such as "#1d91c0". */
export const shadeColor = (colors: Uint8ClampedArray, shade: number): string =>
  `#${[0, 1, 2].map((channel) => colors[shade * 4 + channel]!.toString(16).padStart(2, "0")).join("")}`;

/** Relative luminance of a colour, 0 to 1 (WCAG 2.2). */
export function luminance(red: number, green: number, blue: number): number {
  const [r, g, b] = [red, green, blue].map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Black or white, whichever is more readable on a shade. */
export const inkOn = (colors: Uint8ClampedArray, shade: number): string =>
  luminance(colors[shade * 4]!, colors[shade * 4 + 1]!, colors[shade * 4 + 2]!) > 0.179 ? "#000000" : "#ffffff";

/** Whether a colour from computed styles is dark. */
export function isDark(color: string): boolean {
  const [red = 255, green = 255, blue = 255] = (color.match(/[\d.]+/g) ?? []).map(Number);
  return luminance(red, green, blue) < 0.18;
}

/** Lowest and highest value; both 0 if all are NaN. */
export function extremes(values: Float32Array): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 0];
}
