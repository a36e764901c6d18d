import { type GrownFile, openRecords, type RecordAppender } from "../disk/append.ts";
import { writeJson } from "../disk/atomic.ts";
import { dropsTokens, type ModelConfig, type MoeConfig } from "../protocol/model.ts";
import {
  type RoutingIndex,
  type RoutingPairsIndex,
  routingIndexSchema,
  routingPairsIndexSchema,
} from "../protocol/routingFiles.ts";
import { countedIn, needsDrops, type RoutingStatistic } from "../protocol/routingStatistics.ts";
import type { StagePaths } from "../runs/layout.ts";
import { readJson } from "../runs/read.ts";
import { pairsLayout, type RecordLayout, type StatisticValues, trainingLayout, trainingLists } from "./records.ts";

/** Maximum number of snapshots of a stage's routing. */
const maxSnapshots = 200;
/** Maximum size of `routing-pairs.f32`, bytes. */
const maxPairBytes = 64 << 20;

/** Sums that are not yet written; they are saved with the training state. */
export interface PendingRouting {
  /** Of `routing.f32`. */
  routing?: number[];
  /** Of `routing-pairs.f32`; absent if no pairs are recorded. */
  pairs?: Float64Array;
}

/** Sums statistics over a number of steps and appends them as one record. */
class Sums {
  readonly records: RecordAppender;
  readonly #layout: RecordLayout;
  readonly #every: number;
  #sums: Float64Array;

  constructor(path: string, layout: RecordLayout, every: number) {
    this.records = openRecords(path, layout.size);
    this.#layout = layout;
    this.#every = every;
    this.#sums = new Float64Array(layout.size);
  }

  get pending(): Float64Array {
    return this.#sums;
  }

  add(step: number, result: StatisticValues): void {
    for (const { name, start, length } of this.#layout.blocks) {
      const values = result[name as RoutingStatistic] ?? [];
      if (values.length !== length) throw new Error(`a step reports ${values.length} values of ${name}, not ${length}`);
      for (let at = 0; at < length; at++) this.#sums[start + at]! += values[at]!;
    }
    if (step % this.#every === 0) this.#write();
  }

  /** Writes the sums of the last, incomplete interval. */
  finish(step: number): void {
    if (step % this.#every !== 0) this.#write();
  }

  restore(step: number, pending: ArrayLike<number>): void {
    this.records.truncateTo(Math.floor(step / this.#every));
    this.#sums = pending.length > 0 ? Float64Array.from(pending) : new Float64Array(this.#layout.size);
  }

  #write(): void {
    this.records.append(Float32Array.from(this.#sums));
    this.#sums.fill(0);
  }
}

/**
 * Observes training and records its routing: `routing.f32`, and `routing-pairs.f32` unless there are too many pairs of
 * experts.
 */
export class RoutingRecorder {
  readonly #files: { cells: Sums; pairs: Sums | undefined };

  private constructor(cells: Sums, pairs: Sums | undefined) {
    this.#files = { cells, pairs };
  }

  /**
   * Undefined for a dense model.
   *
   * @param resumes whether training continues from a saved state: it then keeps recording what it began with
   */
  static async open(
    paths: StagePaths,
    config: ModelConfig,
    domains: string[],
    steps: number,
    resumes: boolean,
  ): Promise<RoutingRecorder | undefined> {
    if (!config.moe) return undefined;
    const begun = resumes ? await readJson(paths.routingIndex, routingIndexSchema) : undefined;
    const index = begun ?? trainingIndex(config.moe, domains, steps);
    const pairs = begun
      ? await readJson(paths.routingPairsIndex, routingPairsIndexSchema)
      : pairsIndex(config.moe, index.every, steps);
    // The index of the pairs comes first: if the other one exists, both do.
    if (!begun && pairs) await writeJson(paths.routingPairsIndex, pairs);
    if (!begun) await writeJson(paths.routingIndex, index);
    return new RoutingRecorder(
      new Sums(paths.routing, trainingLayout(index), index.every),
      pairs && new Sums(paths.routingPairs, pairsLayout(pairs), pairs.every),
    );
  }

  /** Returns to the state after `step` steps. */
  restore(step: number, { routing = [], pairs = new Float64Array(0) }: PendingRouting): void {
    this.#files.cells.restore(step, routing);
    this.#files.pairs?.restore(step, pairs);
  }

  /** Adds the routing of step `step`, counted from 1. */
  after(step: number, result: StatisticValues | undefined): void {
    if (!result) return;
    for (const file of this.#open()) file.add(step, result);
  }

  /** The unfinished records. */
  pending(): PendingRouting {
    const { cells, pairs } = this.#files;
    return { routing: [...cells.pending], ...(pairs ? { pairs: pairs.pending } : {}) };
  }

  grown(): readonly GrownFile[] {
    return this.#open().map(({ records }) => records);
  }

  sync(): void {
    for (const { records } of this.#open()) records.sync();
  }

  /** Training ended with this step: the remaining sums become the last record. */
  finish(step: number): void {
    for (const file of this.#open()) file.finish(step);
    this.sync();
  }

  close(): void {
    for (const { records } of this.#open()) records.close();
  }

  #open(): Sums[] {
    const { cells, pairs } = this.#files;
    return pairs ? [cells, pairs] : [cells];
  }
}

function trainingIndex(moe: MoeConfig, domains: string[], steps: number): RoutingIndex {
  const { layers, experts } = moe;
  const names = countedIn("training").filter((name) => dropsTokens(moe) || !needsDrops(name));
  const every = Math.max(1, Math.ceil(steps / maxSnapshots));
  return { version: 1, ...trainingLists(names), layers, domains, experts, every };
}

/** The index with as many records as fit; undefined if not even one fits. */
function pairsIndex({ layers, experts }: MoeConfig, every: number, steps: number): RoutingPairsIndex | undefined {
  const index = { version: 1 as const, statistics: countedIn("pairs"), layers, experts };
  const maxRecords = Math.floor(maxPairBytes / (4 * pairsLayout(index).size));
  if (maxRecords === 0) return undefined;
  const apart = Math.ceil(Math.ceil(steps / every) / maxRecords);
  return { ...index, every: every * Math.max(1, apart) };
}
