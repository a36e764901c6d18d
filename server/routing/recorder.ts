import { dropsTokens, type ModelConfig, type MoeConfig } from "../protocol/model.ts";
import {
  type RoutingIndex,
  type RoutingPairsIndex,
  routingIndexSchema,
  routingPairsIndexSchema,
} from "../protocol/routingFiles.ts";
import type { CountedStatistic } from "../protocol/routingStatistics.ts";
import { openRecords, type RecordAppender } from "../runs/append.ts";
import { writeJson } from "../runs/atomic.ts";
import type { StagePaths } from "../runs/layout.ts";
import { readJson } from "../runs/read.ts";

/** What a step reports of its routing. */
type StepRouting = Partial<Record<CountedStatistic, ArrayLike<number>>>;

/** Snapshots a stage keeps of its routing, at most. */
const snapshots = 200;
/** Bytes of `routing-pairs.f32`, at most. */
const mostPairBytes = 64 << 20;

/** What is recorded by domain and expert: droppedTokens only where routers have a capacity. */
const statisticsOf = (moe: MoeConfig): CountedStatistic[] => [
  "routedTokens",
  "gateMass",
  "probability",
  ...(dropsTokens(moe) ? ["droppedTokens" as const] : []),
];

/** What is summed and not yet written, for the training state. */
export interface PendingRouting {
  /** Of `routing.f32`. */
  routing?: number[];
  /** Of `routing-pairs.f32`; absent where no pairs are recorded. */
  pairs?: Float64Array;
}

/** Sums statistics over so many steps and appends them as one record of float32, one statistic after the other. */
class Sums {
  readonly records: RecordAppender;
  readonly #names: readonly CountedStatistic[];
  readonly #every: number;
  #sums: Float64Array;

  constructor(path: string, names: readonly CountedStatistic[], size: number, every: number) {
    this.records = openRecords(path, size);
    this.#names = names;
    this.#every = every;
    this.#sums = new Float64Array(size);
  }

  get pending(): Float64Array {
    return this.#sums;
  }

  add(step: number, result: StepRouting): void {
    const sums = this.#sums;
    let start = 0;
    for (const name of this.#names) {
      const values = result[name]!;
      for (let at = 0; at < values.length; at++) sums[start + at]! += values[at]!;
      start += values.length;
    }
    if (step % this.#every === 0) this.#write();
  }

  /** Writes what is summed of an interval that no step will end. */
  finish(step: number): void {
    if (step % this.#every !== 0) this.#write();
  }

  restore(step: number, pending: ArrayLike<number>): void {
    this.records.truncateTo(Math.floor(step / this.#every));
    this.#sums = pending.length > 0 ? Float64Array.from(pending) : new Float64Array(this.#sums.length);
  }

  #write(): void {
    this.records.append(Float32Array.from(this.#sums));
    this.#sums.fill(0);
  }
}

/**
 * Records the routing of training: `routing.f32`, and `routing-pairs.f32` as far as pairs of experts are few enough. What
 * the files hold say the schemas of their indices.
 */
export class RoutingRecorder {
  readonly #cells: Sums;
  readonly #pairs: Sums | undefined;

  private constructor(cells: Sums, pairs: Sums | undefined) {
    this.#cells = cells;
    this.#pairs = pairs;
  }

  /** Undefined for a dense model. A stage that was begun goes on with what it has recorded so far. */
  static async open(
    paths: StagePaths,
    config: ModelConfig,
    domains: string[],
    steps: number,
  ): Promise<RoutingRecorder | undefined> {
    if (!config.moe) return undefined;
    const { layers, experts } = config.moe;
    const begun = await readJson(paths.routingIndex, routingIndexSchema);
    const index: RoutingIndex = begun ?? {
      version: 1,
      statistics: statisticsOf(config.moe),
      layerStatistics: ["tokens", "entropy"],
      layers,
      domains,
      experts,
      every: Math.max(1, Math.ceil(steps / snapshots)),
    };
    const pairs = begun
      ? await readJson(paths.routingPairsIndex, routingPairsIndexSchema)
      : pairsIndex(config.moe, index.every, steps);
    // That of the pairs first: where there is the other one, there are both.
    if (!begun && pairs) await writeJson(paths.routingPairsIndex, pairs);
    if (!begun) await writeJson(paths.routingIndex, index);
    const rows = layers.length * domains.length;
    const { statistics, layerStatistics = [] } = index;
    const cells = new Sums(
      paths.routing,
      [...statistics, ...layerStatistics] as CountedStatistic[],
      rows * (statistics.length * experts.length + layerStatistics.length),
      index.every,
    );
    if (!pairs) return new RoutingRecorder(cells, undefined);
    const names = layers.length > 1 ? (["coActivation", "transitions"] as const) : (["coActivation"] as const);
    return new RoutingRecorder(cells, new Sums(paths.routingPairs, names, pairValues(config.moe), pairs.every));
  }

  /** Adds what step `step`, counted from 1, routed. */
  after(step: number, result: StepRouting | undefined): void {
    if (!result) return;
    this.#cells.add(step, result);
    this.#pairs?.add(step, result);
  }

  /** The unfinished records. */
  pending(): PendingRouting {
    return {
      routing: [...this.#cells.pending],
      ...(this.#pairs ? { pairs: this.#pairs.pending } : {}),
    };
  }

  /** Goes back to where `step` steps were recorded. */
  restore(step: number, { routing = [], pairs }: PendingRouting): void {
    this.#cells.restore(step, routing);
    this.#pairs?.restore(step, pairs ?? []);
  }

  /** Training ended with this step: what was not written yet is the last record. */
  finish(step: number): void {
    this.#cells.finish(step);
    this.#pairs?.finish(step);
    this.sync();
  }

  sync(): void {
    this.#cells.records.sync();
    this.#pairs?.records.sync();
  }

  close(): void {
    this.#cells.records.close();
    this.#pairs?.records.close();
  }
}

/** Values of a record of pairs: coActivation [L, E, E], then transitions [L - 1, E, E]. */
const pairValues = ({ layers, experts }: MoeConfig): number => (2 * layers.length - 1) * experts.length ** 2;

/** As many records as fit, none where not even one does. */
function pairsIndex(moe: MoeConfig, every: number, steps: number): RoutingPairsIndex | undefined {
  const most = Math.floor(mostPairBytes / (4 * pairValues(moe)));
  if (most === 0) return undefined;
  const { layers, experts } = moe;
  const apart = Math.ceil(Math.ceil(steps / every) / most);
  return {
    version: 1,
    statistics: ["coActivation", "transitions"],
    layers,
    experts,
    every: every * Math.max(1, apart),
  };
}
