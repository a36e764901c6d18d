import * as z from "zod";

/**
 * What is recorded of each optimizer step and can be drawn: each is a number in a line of `metrics.jsonl`. The pages
 * offer these, and the backend reads and exports them; an auxiliary loss of a router is one entry.
 */
export interface TrainingMeasure {
  /** Label in lists. */
  label: string;
  /** Label in charts, with the unit. */
  title: string;
  /** Whether lower or higher is better; absent if neither is, as for a learning rate. */
  best?: "low" | "high";
  /** How numbers are formatted; absent: unchanged. A share is a fraction of 1. */
  unit?: "nats" | "tokens/s" | "bytes" | "share";
  /** Heading of its column in an exported table. */
  column: string;
}

/** In display order. */
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
