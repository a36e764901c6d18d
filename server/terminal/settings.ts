import type { Difference } from "../protocol/comparison.ts";
import { count } from "../protocol/format.ts";
import { kindOfName, stageKinds } from "../protocol/stageKinds.ts";

/** Settings of an experiment in a few words: "router switch", "finetune 1M tokens", "freeze experts". */

/** Names of keys whose last part, in words, is not clear enough; empty if the value is enough. */
const NAMES: Readonly<Record<string, string>> = {
  tokens: "",
  "from.sha256": "checkpoint",
  layers: "MoE layers",
  warmup: "warm-up",
  "router.type": "router",
  "router.zLoss": "z-loss",
  "routerInit.from": "router init",
  "routerInit.tokens": "router init",
  "tokenizer.type": "tokenizer",
  "tokenizer.vocab": "vocabulary",
  "tokenizer.sha256": "tokenizer",
};
/** Whether keys are clear without the name of their stage, which is "all" or neither trains nor evaluates. */
function isUnnamed(stage: string): boolean {
  const kind = stage.endsWith(":mix") ? "mix" : kindOfName(stage);
  return stage === "all" || (kind !== undefined && kind !== "evaluate" && !stageKinds[kind].trains);
}

/** "final learning rate" for "training.finalLearningRate". */
const words = (key: string): string =>
  (key.split(".").at(-1) ?? key).replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** A number, abbreviated if that is exact: "1.6k" for 1600, but 1,234,567 in full. */
function exactCount(value: number): string {
  const short = count(value);
  const [, digits = "", unit = ""] = /^([\d.]+)([kMBT]?)$/.exec(short) ?? [];
  const scale = { "": 1, k: 1e3, M: 1e6, B: 1e9, T: 1e12 }[unit] ?? Number.NaN;
  return Math.abs(Number(digits) * scale - value) < 1e-6 * value ? short : value.toLocaleString("en-US");
}

function valueText(key: string, value: Difference["value"]): string {
  if (value === true) return "";
  if (Array.isArray(value)) return value.map(String).join(", ");
  if (typeof value === "object" && value !== null)
    return Object.entries(value)
      .map(([name, item]) => `${name} ${item}`)
      .join(", ");
  if (typeof value === "number" && /(^|\.)tokens$/.test(key)) return `${exactCount(value)} tokens`;
  return key.endsWith("sha256") ? String(value).slice(0, 8) : String(value);
}

/** The stage of a setting, if it must be named alongside the model `model`. */
function placeText({ stage, phase, key }: Difference, model: string): string {
  if (isUnnamed(stage) || key.startsWith("model.") || key === "freeze") return "";
  const name = stage === model ? "" : stage === "evaluate" ? "evaluation" : stage.replace(":", " ");
  return `${name}${phase === undefined ? "" : ` phase ${phase + 1}:`}`.trim();
}

/** One setting in words. */
export function settingText(setting: Difference, model: string): string {
  const { key, value } = setting;
  const name = Object.hasOwn(NAMES, key) ? NAMES[key] : words(key);
  return [placeText(setting, model), name, valueText(key, value)].filter(Boolean).join(" ");
}

/** How a model differs from others of its name, one text per setting; settings implied by another are omitted. */
export const configuration = (row: { model: string; differences: readonly Difference[] }): string[] =>
  row.differences.filter(({ implied }) => !implied).map((setting) => settingText(setting, row.model));
