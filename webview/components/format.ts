/** Formats numbers for people. */

const prefixes: [number, string][] = [
  [1e18, "E"],
  [1e15, "P"],
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];

/** A value with up to seven digits, as many as float32 has. */
export function exact(value: number): string {
  const [rounded, size] = [Number(value.toPrecision(7)), Math.abs(value)];
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return rounded.toExponential().replace("e+", "e").replace("-", "−");
  return grouped(rounded);
}

/** 1234567.5 as "1,234,567.5"; screen readers would read a space as two numbers. */
function grouped(value: number): string {
  const [whole = "", decimals] = String(Math.abs(value)).split(".");
  const text = whole.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  return `${value < 0 ? "−" : ""}${text}${decimals === undefined ? "" : `.${decimals}`}`;
}

/**
 * 1234567 as "1.23M", 0.00012 as "1.2e−4": for axes.
 *
 * @param step between neighbouring values, which must look different. @param most largest absolute value; it decides
 * the unit of all.
 */
export function short(value: number, step: number, most = Math.abs(value)): string {
  const scale = Math.max(most, step);
  const [unit, letter] = prefixes.find(([one]) => scale >= one * 10 || (scale >= one && one > 1e3)) ?? [1, ""];
  if (value === 0) return "0";
  if (scale < 1e-3) return Number(value.toPrecision(3)).toExponential().replace("-", "−");
  const wanted = step / unit;
  let decimals = 0;
  while (decimals < 6 && Math.abs(Number(wanted.toFixed(decimals)) - wanted) > wanted / 100) decimals++;
  return `${String(Number((value / unit).toFixed(decimals))).replace("-", "−")}${letter}`;
}

/** A count, in full below a million: "12,345", "3.21M". */
export const count = (value: number): string =>
  Math.abs(value) < 1e6 ? grouped(Math.round(value)) : short(Number(value.toPrecision(4)), Math.abs(value) / 10_000);

/** Seconds as "45 s", "1 min 30 s", "2 h 5 min", "3 d 4 h". */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toFixed(seconds < 10 ? 2 : 1))} s`;
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor((seconds % 86_400) / 3600), "h"],
    [Math.floor((seconds % 3600) / 60), "min"],
    [Math.floor(seconds % 60), "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}

/** Bytes as "512 MiB", "1.5 GiB". */
export function bytes(value: number): string {
  const gib = value / 2 ** 30;
  return gib >= 1 ? `${Number(gib.toFixed(2))} GiB` : `${Number((value / 2 ** 20).toFixed(1))} MiB`;
}

/** 0.12345 as "12.3 %". */
export const percent = (value: number): string => (Number.isNaN(value) ? "–" : `${signed(value * 100, 3)} %`);

/** A share in percent for a cell: "12", "3.4", "0". */
export const cellText = (value: number): string => (Number.isNaN(value) ? "–" : signed(value * 100, 2));

/** A number with this many digits, at most two after the point, and a typographic minus sign. */
export function signed(value: number, digits: number): string {
  const rounded = Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(digits));
  return String(Math.abs(rounded) < 0.005 ? 0 : Number(rounded.toFixed(2))).replace("-", "−");
}
