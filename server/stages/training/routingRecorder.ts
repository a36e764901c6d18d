import { existsSync } from "node:fs";
import type { ModelConfig, MoeConfig } from "../../protocol/model.ts";
import type { RoutingIndex } from "../../protocol/routingFiles.ts";
import { openRecords, type RecordAppender } from "../../runs/append.ts";
import { writeJson } from "../../runs/atomic.ts";
import type { StagePaths } from "../../runs/layout.ts";
import type { StepResult, statistics } from "./programs.ts";

type Statistic = (typeof statistics)[number];

/** Snapshots a stage keeps of its routing, at most. */
const snapshots = 200;

/** What is recorded: droppedTokens only where routers have a capacity. */
const statisticsOf = ({ router }: MoeConfig): Statistic[] =>
  router.type === "switch" ? ["routedTokens", "gateMass", "droppedTokens"] : ["routedTokens", "gateMass"];

/** Sums routing over a few steps and appends them to `routing.f32` as one record [statistic, layer, domain, expert]. */
export class RoutingRecorder {
  readonly #records: RecordAppender;
  readonly #statistics: Statistic[];
  readonly #every: number;
  readonly #size: number;
  #sums: Float64Array;

  private constructor(records: RecordAppender, statistics: Statistic[], every: number, size: number) {
    this.#records = records;
    this.#statistics = statistics;
    this.#every = every;
    this.#size = size;
    this.#sums = new Float64Array(statistics.length * size);
  }

  /** Undefined for a dense model. */
  static async open(
    paths: StagePaths,
    config: ModelConfig,
    domains: string[],
    steps: number,
  ): Promise<RoutingRecorder | undefined> {
    if (!config.moe) return undefined;
    const { layers, experts } = config.moe;
    const every = Math.max(1, Math.ceil(steps / snapshots));
    const statistics = statisticsOf(config.moe);
    const index: RoutingIndex = { version: 1, statistics, layers, domains, experts, every };
    if (!existsSync(paths.routingIndex)) await writeJson(paths.routingIndex, index);
    const size = layers.length * domains.length * experts.length;
    return new RoutingRecorder(openRecords(paths.routing, statistics.length * size), statistics, every, size);
  }

  /** Adds what step `step`, counted from 1, routed. */
  add(step: number, result: StepResult): void {
    this.#statistics.forEach((name, i) => {
      result[name]!.forEach((value, at) => {
        this.#sums[i * this.#size + at]! += value;
      });
    });
    if (step % this.#every !== 0) return;
    this.#records.append(Float32Array.from(this.#sums));
    this.#sums.fill(0);
  }

  /** The unfinished record, for the training state. */
  pending(): number[] {
    return [...this.#sums];
  }

  /** Goes back to where `step` steps were recorded. */
  restore(step: number, pending: number[]): void {
    this.#records.truncateTo(Math.floor(step / this.#every));
    this.#sums =
      pending.length > 0 ? Float64Array.from(pending) : new Float64Array(this.#statistics.length * this.#size);
  }

  sync(): void {
    this.#records.sync();
  }

  close(): void {
    this.#records.close();
  }
}
