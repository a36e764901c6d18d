/** Round values for the ticks of an axis. */

const clock = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];

/** Multiples of a step in low..high. */
function multiples(low: number, high: number, step: number): number[] {
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  );
}

/** About `wanted` or fewer round values in low..high, ascending. */
export function linearTicks(low: number, high: number, wanted: number): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  const power = 10 ** Math.floor(Math.log10(span / wanted));
  const factor = [1, 2, 2.5, 5, 10].find((one) => span / (one * power) <= wanted) ?? 10;
  return multiples(low, high, factor * power);
}

/** Like `linearTicks`, for seconds: round fractions of minutes, hours and days. */
export function timeTicks(low: number, high: number, wanted: number): number[] {
  const span = high - low;
  if (!(span > 0) || span / wanted < 1) return linearTicks(low, high, wanted);
  const step = clock.find((one) => span / one <= wanted);
  return step === undefined
    ? linearTicks(low / 86_400, high / 86_400, wanted).map((days) => days * 86_400)
    : multiples(low, high, step);
}

/** For a logarithmic axis: powers of ten, also times 2 and 5 if there is room; linear ticks below one decade. */
export function logTicks(low: number, high: number, wanted: number): number[] {
  if (!(low > 0) || !(high > low)) return [low];
  const decades = Math.log10(high / low);
  if (decades < 1) return linearTicks(low, high, wanted);
  const factors = decades * 3 <= wanted ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil((decades * factors.length) / wanted));
  const values: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    if (power % every !== 0) continue;
    for (const factor of factors) values.push(Number((factor * 10 ** power).toPrecision(12)));
  }
  return values.filter((value) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9));
}
