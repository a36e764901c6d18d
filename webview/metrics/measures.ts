import type { Axis, Measure } from "../../server/protocol/stream.ts";
import type { ChartAxis } from "../components/chartAxes.ts";
import { bytes, count, duration, exact, short } from "../components/format.ts";
import { linearTicks, logTicks, timeTicks } from "../components/ticks.ts";

/** What is measured, and along what: names, units and how numbers are written. */

export interface MeasureText {
  /** For a list to choose from. */
  label: string;
  /** For the chart, with the unit. */
  title: string;
  /** Which end of the values is the good one; absent where there is none, as for a learning rate. */
  best?: "low" | "high";
  exact(value: number): string;
  tick(value: number, step: number, most: number): string;
}

export const measures: Record<Measure, MeasureText> = {
  loss: {
    label: "Loss",
    title: "training loss, nats a token",
    best: "low",
    exact: (value) => `${exact(value)} nats`,
    tick: short,
  },
  learningRate: { label: "Learning rate", title: "learning rate", exact, tick: short },
  gradientNorm: { label: "Gradient norm", title: "gradient norm, before clipping", exact, tick: short },
  tokensPerSecond: {
    label: "Tokens/s",
    title: "tokens a second",
    best: "high",
    exact: (value) => `${count(value)} tokens/s`,
    tick: short,
  },
  loadBalance: {
    label: "Load balance",
    title: "load-balancing loss, scaled by its coefficient",
    best: "low",
    exact,
    tick: short,
  },
  droppedShare: {
    label: "Dropped tokens",
    title: "dropped tokens, share of those routed",
    best: "low",
    exact: (value) => `${Number((value * 100).toPrecision(4))} %`,
    tick: (value, step) => `${short(value * 100, step * 100)} %`,
  },
  memory: {
    label: "Memory",
    title: "resident memory of the process",
    exact: bytes,
    tick: (value, step) =>
      step >= 2 ** 29
        ? `${short(value / 2 ** 30, step / 2 ** 30)} GiB`
        : `${short(value / 2 ** 20, step / 2 ** 20)} MiB`,
  },
};

/** Memory has round values of its own: parts of a gibibyte. */
const unitOf = (measure: Measure, high: number): number =>
  measure !== "memory" ? 1 : high >= 2 ** 30 ? 2 ** 30 : 2 ** 20;

const made = new Map<string, ChartAxis>();

/** The y axis of a measure; the same object for the same. */
export function measureAxis(measure: Measure, log: boolean): ChartAxis {
  const name = `${measure} ${log}`;
  const axis = made.get(name) ?? makeAxis(measure, log);
  made.set(name, axis);
  return axis;
}

function makeAxis(measure: Measure, log: boolean): ChartAxis {
  const { title, tick, exact: text } = measures[measure];
  return {
    title,
    // Values of several decades have no unit in common.
    tick: log ? (value, step) => tick(value, step, Math.abs(value)) : tick,
    exact: text,
    ticks(low, high, wanted) {
      const unit = unitOf(measure, high);
      const values = log ? logTicks(low / unit, high / unit, wanted) : linearTicks(low / unit, high / unit, wanted);
      return values.map((value) => value * unit);
    },
  };
}

export const axes: Record<Axis, ChartAxis & { label: string }> = {
  step: {
    label: "Step",
    title: "optimizer steps",
    ticks: linearTicks,
    tick: short,
    exact: (value) => `step ${count(value)}`,
  },
  tokens: {
    label: "Tokens",
    title: "tokens trained on",
    ticks: linearTicks,
    tick: short,
    exact: (value) => `${count(value)} tokens`,
  },
  seconds: {
    label: "Time",
    title: "time of work",
    ticks: timeTicks,
    tick: duration,
    exact: duration,
  },
  flops: {
    label: "FLOPs",
    title: "floating-point operations",
    ticks: linearTicks,
    tick: short,
    exact: (value) =>
      `${short(Number(value.toPrecision(4)), value / 10_000)}FLOPs`.replace(/([0-9])([A-Z])FLOPs$/, "$1 $2FLOPs"),
  },
};
