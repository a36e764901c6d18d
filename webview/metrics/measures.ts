import type { Axis, Measure } from "../../server/protocol/stream.ts";
import { type TrainingMeasure, trainingMeasures } from "../../server/protocol/trainingMeasures.ts";
import type { ChartAxis } from "../components/chartAxes.ts";
import { bytes, count, duration, exact, short } from "../components/format.ts";
import { linearTicks, logTicks, timeTicks } from "../components/ticks.ts";

/** The axes of the charts: measures and x axes, their units, and how their values are written. */

interface UnitText {
  exact(value: number): string;
  tick(value: number, step: number, most?: number): string;
}

const units: Record<NonNullable<TrainingMeasure["unit"]> | "none", UnitText> = {
  none: { exact, tick: short },
  nats: { exact: (value) => `${exact(value)} nats`, tick: short },
  "tokens/s": { exact: (value) => `${count(value)} tokens/s`, tick: short },
  share: {
    exact: (value) => `${Number((value * 100).toPrecision(4))} %`,
    tick: (value, step) => `${short(value * 100, step * 100)} %`,
  },
  bytes: {
    exact: bytes,
    tick: (value, step) =>
      step >= 2 ** 29
        ? `${short(value / 2 ** 30, step / 2 ** 30)} GiB`
        : `${short(value / 2 ** 20, step / 2 ** 20)} MiB`,
  },
};

/** Measures by name, with how their values are written. */
export const measures = Object.fromEntries(
  Object.entries<TrainingMeasure>(trainingMeasures).map(([name, measure]) => [
    name,
    { ...measure, ...units[measure.unit ?? "none"] },
  ]),
) as Record<Measure, TrainingMeasure & UnitText>;

/** Ticks of bytes are round in MiB or GiB. */
const unitOf = (measure: Measure, high: number): number =>
  measures[measure].unit !== "bytes" ? 1 : high >= 2 ** 30 ? 2 ** 30 : 2 ** 20;

const known = new Map<string, ChartAxis>();

/** The y axis of a measure; always the same object for equal arguments. */
export function measureAxis(measure: Measure, log: boolean): ChartAxis {
  const name = `${measure} ${log}`;
  const axis = known.get(name) ?? makeAxis(measure, log);
  known.set(name, axis);
  return axis;
}

function makeAxis(measure: Measure, log: boolean): ChartAxis {
  const { title, tick, exact: text } = measures[measure];
  return {
    title,
    // Values over several decades have no common unit.
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
    title: "working time",
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
