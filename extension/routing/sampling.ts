/** The options of sampling from a model. Independent of VS Code. */

export interface SampleOptions {
  temperature: number;
  topP: number;
  /** Number of tokens to generate. */
  tokens: number;
  randomSeed: number;
  /** Experts per token; if absent, as many as in training. */
  k?: number | undefined;
  /** Experts switched off. */
  off: readonly string[];
}

export const defaults: SampleOptions = { temperature: 0.8, topP: 1, tokens: 200, randomSeed: 0, off: [] };

/** A numeric option: its name, the values it accepts, and its help text. */
export interface NumberOption {
  key: "temperature" | "topP" | "tokens" | "randomSeed" | "k";
  label: string;
  help: string;
  integer: boolean;
  lowest: number;
  highest: number;
  /** May be left empty to use the trained value. */
  optional: boolean;
}

const whole = { integer: true, optional: false };
export const numberOptions: readonly NumberOption[] = [
  {
    key: "temperature",
    label: "Temperature",
    help: "0 always takes the likeliest token.",
    integer: false,
    lowest: 0,
    highest: 100,
    optional: false,
  },
  {
    key: "topP",
    label: "Top-p",
    help: "Samples from the likeliest tokens whose probabilities add up to this; 1 samples from all.",
    integer: false,
    lowest: 0,
    highest: 1,
    optional: false,
  },
  { key: "tokens", label: "Length", help: "Maximum number of tokens.", lowest: 1, highest: 1_000_000, ...whole },
  {
    key: "randomSeed",
    label: "Random seed",
    help: "The same seed gives the same text.",
    lowest: 0,
    highest: Number.MAX_SAFE_INTEGER,
    ...whole,
  },
  {
    key: "k",
    label: "Experts per token",
    help: "Leave empty for as many as in training.",
    integer: true,
    lowest: 1,
    highest: 10_000,
    optional: true,
  },
];

/** What is wrong with a typed number; undefined if it is valid. */
export function problemOf({ integer, lowest, highest, optional }: NumberOption, typed: string): string | undefined {
  const text = typed.trim();
  if (text === "") return optional ? undefined : "Enter a number.";
  const value = Number(text);
  const kind = integer ? "whole number" : "number";
  if (Number.isFinite(value) && value >= lowest && value <= highest && (!integer || Number.isSafeInteger(value)))
    return undefined;
  return `Enter a ${kind} from ${lowest} to ${highest}.`;
}

/** The options with one changed to a typed value, which must be valid. */
export const withNumber = (options: SampleOptions, { key }: NumberOption, typed: string): SampleOptions => ({
  ...options,
  [key]: typed.trim() === "" ? undefined : Number(typed),
});

/** All options on one line. */
export function summary({ temperature, topP, tokens, randomSeed, k, off }: SampleOptions): string {
  const parts = [`temperature ${temperature}`, `top-p ${topP}`, `${tokens} tokens`, `random seed ${randomSeed}`];
  if (k !== undefined) parts.push(`${k} expert${k === 1 ? "" : "s"} per token`);
  if (off.length > 0) parts.push(`without ${off.join(", ")}`);
  return parts.join(", ");
}
