import { freemem, totalmem } from "node:os";
import { trainingMemory } from "../model/size.ts";
import { bytes as inWords } from "../protocol/format.ts";
import { type ModelConfig, mixedConfig } from "../protocol/model.ts";
import type { ModelShape } from "../protocol/stage.ts";
import { trainingConfig } from "./phases.ts";
import type { Path, Problem } from "./problem.ts";
import { type Experiment, mixtureOf } from "./resolve.ts";
import type { TrainingKeys } from "./schema/training.ts";

/** What training would run on; memory in bytes. */
export interface Machine {
  memory: number;
  free: number;
  /** Whose memory it is, if not this machine's: "cuda:0 (NVIDIA H100)". */
  name?: string;
  /** See `trainingMemory`. */
  stateTwice?: boolean;
}

/** This machine, within the limits of this process. */
export function thisMachine(): Machine {
  const limit = process.constrainedMemory();
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return { memory, free: Math.min(freemem(), memory) };
}

/** Models of one shape: what each is called, its training, and where its keys stand, nearest first. */
interface Work {
  label: string;
  config: ModelConfig;
  models: { training: TrainingKeys; tokens: number }[];
  sections: string[][];
}

/** Stages estimated to need more memory than the machine has (an error) or has free now (a warning). */
export function checkMemory(experiment: Experiment, shape: ModelShape, vocab: number, machine: Machine): Problem[] {
  return workOf(experiment, shape, vocab).flatMap((work) => checkWork(experiment, work, machine));
}

function workOf(experiment: Experiment, shape: ModelShape, vocab: number): Work[] {
  const dense: ModelConfig = { vocab, ...shape };
  const { seed, domains, finetune } = experiment;
  const mixed = mixedConfig(dense, mixtureOf(experiment));
  const experts: Work = {
    label: "an expert",
    config: dense,
    models: [...domains.values()],
    sections: [["experts"], ["training"]],
  };
  const work = [
    experts,
    { label: "the mixed model", config: mixed, models: [finetune], sections: [["finetune"], ["training"]] },
  ];
  if (!("from" in seed))
    work.unshift({ label: "the seed", config: dense, models: [seed], sections: [["seed"], ["training"]] });
  return work;
}

function checkWork({ positions }: Experiment, work: Work, machine: Machine): Problem[] {
  const { config } = work;
  const stateTwice = machine.stateTwice ?? false;
  const batches = work.models.map(({ training, tokens }) => trainingConfig(training, tokens, config.context));
  /** Bytes of the largest of them with micro-batches of at most `limit`; models that do not fit at once wait. */
  const need = (limit: number): number =>
    Math.max(
      ...batches.map(({ batch, microBatch, ...computing }) =>
        trainingMemory(config, microBatch <= limit ? microBatch : divisorBelow(batch, limit), {
          ...computing,
          stateTwice,
        }),
      ),
    );
  const largest = Math.max(...batches.map(({ microBatch }) => microBatch));
  const bytes = need(largest);
  if (bytes <= machine.free) return [];
  const sizes = divisors(batches.map(({ batch }) => batch)).filter((size) => size < largest);
  const severity = bytes > machine.memory ? "error" : "warning";
  const available = severity === "error" ? machine.memory : machine.free;
  const fitting = sizes.find((size) => need(size) <= available);
  const section = work.sections.find((place) => positions.has([...place, "microBatch"]));
  const path: Path = section ? [...section, "microBatch"] : fitting ? work.sections[0]! : ["model"];
  const has =
    severity === "error"
      ? `${machine.name ?? "this machine"} has ${inWords(available)}`
      : `only ${inWords(available)} is free now${machine.name ? ` on ${machine.name}` : ""}`;
  const remedy = fitting
    ? `lower \`microBatch\` to ${fitting}, the largest that fits`
    : "lower `model.hidden`, `model.layers`, `model.ffn` or `model.context`, since not even a micro-batch of 1 fits";
  const message = `training ${work.label} needs about ${inWords(bytes)} of memory, but ${has}: ${remedy}`;
  return [{ ...positions.value(path), message, path, severity }];
}

/** All divisors of the batches, largest first. */
function divisors(batches: number[]): number[] {
  const found = new Set<number>();
  for (const batch of new Set(batches))
    for (let size = 1; size * size <= batch; size++)
      if (batch % size === 0) {
        found.add(size);
        found.add(batch / size);
      }
  return [...found].sort((a, b) => b - a);
}

/** The largest divisor of `batch` that is at most `limit`. */
const divisorBelow = (batch: number, limit: number): number => divisors([batch]).find((size) => size <= limit) ?? 1;
