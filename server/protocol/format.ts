/** Formats numbers for display. Values that are not finite become a dash; nothing here throws. */

const DASH = "–";
const two = (value: number) => String(value).padStart(2, "0");

/** `value` with the largest unit in which it is at least 1: one decimal below 100, none above. */
function scaled(value: number, units: readonly string[]): [text: string, unit: string] {
  let index = 0;
  let rest = Math.abs(value);
  while (index < units.length - 1 && rest >= 999.5) {
    rest /= 1000;
    index++;
  }
  const text = rest.toFixed(rest < 99.95 ? 1 : 0).replace(/\.0$/, "");
  return [(value < 0 ? "-" : "") + text, units[index] ?? ""];
}

/** 950, 3.4k, 1.2M, 7B: a count without a unit. */
export function count(value: number): string {
  if (!Number.isFinite(value)) return DASH;
  return scaled(value, ["", "k", "M", "B", "T"]).join("");
}

/** 1.2M tokens */
export function tokens(value: number): string {
  return `${count(value)} tokens`;
}

/** 3.4k tokens/s */
export function rate(tokensPerSecond: number): string {
  return `${count(tokensPerSecond)} tokens/s`;
}

/** 12.3 MB (decimal units). */
export function bytes(value: number): string {
  if (!Number.isFinite(value)) return DASH;
  return scaled(value, ["B", "kB", "MB", "GB", "TB", "PB"]).join(" ");
}

/** 3.4 TFLOP: floating-point operations, not a rate. */
export function flops(value: number): string {
  if (!Number.isFinite(value)) return DASH;
  return scaled(value, ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP", "ZFLOP"]).join(" ");
}

/** 0.4 s, 12.3 s, 1m 05s, 2h 03m, 3d 04h */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return DASH;
  const value = Math.max(0, seconds);
  if (value < 59.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  const minutes = Math.round(value / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  const hours = Math.round(value / 3600);
  return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
}

/** 42 %, of a share in 0..1. */
export function percent(share: number, decimals = 0): string {
  return Number.isFinite(share) ? `${(share * 100).toFixed(decimals)} %` : DASH;
}

/** 42 %, for the completed share: rounded down, so that 100 % means done. */
export const percentDone = (share: number): string => percent(Math.floor(share * 100) / 100);

/** 62.1, for a share of 0.621 whose unit is shown elsewhere. */
export const percentNumber = (share: number): string => (Number.isFinite(share) ? (share * 100).toFixed(1) : DASH);

/** 2.314: a loss in nats or bits. */
export function loss(value: number): string {
  return Number.isFinite(value) ? value.toFixed(3) : DASH;
}

/**
 * 2026-03-04 12:30, from an ISO 8601 time; in this machine's time zone unless `utc`. Text that is not a time is
 * returned unchanged.
 */
export function dateTime(iso: string, utc = false): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  const shifted = utc ? time : new Date(time.getTime() - time.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16).replace("T", " ");
}
