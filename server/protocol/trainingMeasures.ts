import * as z from "zod";

/**
 * What is recorded of each optimizer step and can be drawn: a number of a line of `metrics.jsonl` each. The pages offer, and
 * the backend reads and exports, what stands here; an auxiliary loss of a router is one entry.
 */
export interface TrainingMeasure {
  /** For a list to choose from. */
  label: string;
  /** For a chart, with the unit. */
  title: string;
  /** Which end of the values is the good one; absent where there is none, as for a learning rate. */
  best?: "low" | "high";
  /** How numbers are written; absent: as they are. A share is of 1. */
  unit?: "nats" | "tokens/s" | "bytes" | "share";
  /** Heading of its column in an exported table. */
  column: string;
}

/** In the order in which they are offered. */
export const trainingMeasures = {
  loss: {
    label: "Loss",
    title: "training loss, nats per token",
    best: "low",
    unit: "nats",
    column: "loss_nats_per_token",
  },
  learningRate: { label: "Learning rate", title: "learning rate", column: "learning_rate" },
  gradientNorm: { label: "Gradient norm", title: "gradient norm, before clipping", column: "gradient_norm" },
  tokensPerSecond: {
    label: "Tokens/s",
    title: "tokens per second",
    best: "high",
    unit: "tokens/s",
    column: "tokens_per_second",
  },
  loadBalance: {
    label: "Load balance",
    title: "load-balancing loss, scaled by its coefficient",
    best: "low",
    column: "load_balance_loss",
  },
  zLoss: {
    label: "Router z-loss",
    title: "router z-loss, scaled by its coefficient",
    best: "low",
    column: "router_z_loss",
  },
  droppedShare: {
    label: "Dropped tokens",
    title: "dropped tokens, share of those routed",
    best: "low",
    unit: "share",
    column: "dropped_tokens_share",
  },
  memory: { label: "Memory", title: "resident memory of the process", unit: "bytes", column: "memory_bytes" },
} as const satisfies Record<string, TrainingMeasure>;

export type Measure = keyof typeof trainingMeasures;
export const measureSchema = z.enum(Object.keys(trainingMeasures) as [Measure, ...Measure[]]);
