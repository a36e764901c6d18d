import * as z from "zod";
import { notes } from "./notes.ts";

const pattern = /^(\d+(?:\.\d+)?)([kKmMbB])$/;
const factors: Record<string, number> = { k: 1e3, m: 1e6, b: 1e9 };

/** "1.5M" to 1,500,000; undefined if the text is not a whole number of tokens of at least 1. */
export function parseTokens(text: string): number | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const exact = Number(match[1]) * (factors[match[2]!.toLowerCase()] ?? 1);
  const tokens = Math.round(exact);
  const whole = Math.abs(exact - tokens) <= 1e-9 * exact;
  return whole && tokens >= 1 && Number.isSafeInteger(tokens) ? tokens : undefined;
}

/** 1,500,000 to "1.5M", if that is exact. */
export function formatTokens(tokens: number): string {
  for (const [unit, factor] of [
    ["B", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ] as const) {
    const short = `${tokens / factor}${unit}`;
    if (tokens >= factor && short.length <= 5 && parseTokens(short) === tokens) return short;
  }
  return String(tokens);
}

interface Note {
  description: string;
  paper?: string;
  default?: number;
  defaultText?: string;
}

/** A number of tokens: a whole number, or one with a unit such as 500k, 1.5M or 2B. */
export const tokenCount = ({ default: tokens, ...note }: Note) =>
  z
    .union([z.int().min(1), z.string().regex(pattern)])
    .transform((value, context) => {
      const tokens = typeof value === "number" ? value : parseTokens(value);
      if (tokens !== undefined) return tokens;
      context.issues.push({ code: "custom", input: value, message: "not a whole number of tokens" });
      return z.NEVER;
    })
    .optional()
    .meta(
      notes({
        defaultText: tokens === undefined ? undefined : formatTokens(tokens),
        ...note,
        unit: "tokens",
        expects: "a whole number of tokens of at least 1, such as 20000, 500k or 1.5M",
      }),
    );
