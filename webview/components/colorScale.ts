/** How numbers become colours: a scale places values on a ramp from 0 to 1, and a ramp has the colours. */

export interface ColorScale {
  ramp: "sequential" | "diverging";
  /** Where a value lies on the ramp, 0 to 1; NaN for NaN. */
  place(value: number): number;
  /** Both ends of the ramp. */
  low: number;
  high: number;
  /** Values for a legend, ascending, both ends among them. */
  ticks: readonly number[];
  /** What the scale is anchored at: the value of a router that prefers nothing. */
  uniform: number | undefined;
}

/** Where on the ramp the uniform value lies, always. */
export const anchor = 1 / 3;

const clamped = (share: number): number => (share < 0 ? 0 : share > 1 ? 1 : share);

/**
 * A scale that is linear from 0 to the uniform value, over a third of the ramp; beyond it each doubling has the same
 * length, up to the first doubling that is not below `most`.
 *
 * @param limit upper bound of all values, where the scale ends.
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

/** The first of 1, 2, 5, 10 and so on that is not below a value; at least a thousandth. */
function roundedUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 0.001)));
  return (
    [1, 2, 5].map((one) => Number((one * power).toPrecision(1))).find((one) => one >= value) ??
    Number((10 * power).toPrecision(1))
  );
}

/** A scale from 0, linear. */
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

/** A scale of differences, linear, with 0 in its middle. @param most of the differences without their signs. */
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
 * Colours at even distances. Both ramps are those of ColorBrewer (YlGnBu and PuOr; Harrower & Brewer 2003) that people
 * with any kind of colour blindness can read; on a dark page the ramp is turned round, and the middle of differences is
 * dark.
 */
const light = {
  sequential: ["ffffd9", "edf8b1", "c7e9b4", "7fcdbb", "41b6c4", "1d91c0", "225ea8", "253494", "081d58"],
  diverging: ["b35806", "e08214", "fdb863", "fee0b6", "f7f7f7", "d8daeb", "b2abd2", "8073ac", "542788"],
} as const;
const dark = {
  sequential: [...light.sequential].reverse(),
  diverging: ["fdc98a", "e08214", "9a5a12", "553617", "2a2a2a", "352f4d", "5e5390", "8f82c4", "cdc6ee"],
} as const;

/** Shades of a ramp: more than an eye can distinguish. */
export const shades = 256;

/** The colours of a ramp, [shades * 4] bytes as in ImageData. */
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

/** The shade of a place on the ramp; -1 for NaN. */
export const shadeAt = (place: number): number => (place >= 0 ? Math.round(place * (shades - 1)) : -1);

/** A shade as CSS: "#1d91c0". */
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

/** Black or white, whichever is read better on a shade. */
export const inkOn = (colors: Uint8ClampedArray, shade: number): string =>
  luminance(colors[shade * 4]!, colors[shade * 4 + 1]!, colors[shade * 4 + 2]!) > 0.179 ? "#000000" : "#ffffff";

/** Whether a page's colour, as computed styles name it, is dark. */
export function isDark(color: string): boolean {
  const [red = 255, green = 255, blue = 255] = (color.match(/[\d.]+/g) ?? []).map(Number);
  return luminance(red, green, blue) < 0.18;
}

/** The least and the greatest value; both 0 where all are NaN. */
export function extremes(values: Float32Array): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 0];
}
