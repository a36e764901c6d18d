import { type GrownFile, openRecords, type RecordAppender } from "../disk/append.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { RoutingProbeDetailIndex, RoutingProbeIndex } from "../protocol/routingFiles.ts";
import { statisticsIn } from "../protocol/routingStatistics.ts";
import { partOf, probeDetailLayout, probeLayout, type StatisticValues } from "./records.ts";
import { decidingChoices, type RoutedWindow } from "./routedWindows.ts";
import { followedStatistics } from "./vocabularySpecialisation.ts";

/** Records of held-out tokens in training: `routing-probe.f32` and `routing-probe-detail.f32`. */

/** Maximum number of probes of a training, not counting the first and the last. */
export const maxProbes = 20;
/** Maximum size of a file of probes, bytes; the first and the last are always kept. */
const maxBytes = 64 << 20;

/** When a probe is written: before training, after every `every` steps and after the last of `steps`. */
export interface ProbeTimes {
  every: number;
  steps: number;
}

export interface ProbeIndexes {
  choices: RoutingProbeIndex;
  /** Absent if an older version began the stage. */
  detail: RoutingProbeDetailIndex | undefined;
}

/** The indexes of a new training. @param every minimum steps between probes */
export function probeIndexes(
  choices: Omit<RoutingProbeIndex, "version" | "every">,
  every: number,
): { choices: RoutingProbeIndex; detail: RoutingProbeDetailIndex } {
  const { layers, experts, domains, ...rest } = choices;
  const axes = { version: 1 as const, layers, experts, domains };
  const detail = { ...axes, statistics: statisticsIn("probe") };
  return {
    choices: { ...axes, ...rest, every: recordInterval(every, probeLayout(choices).size) },
    detail: { ...detail, every: recordInterval(every, probeDetailLayout(detail).size) },
  };
}

/**
 * Steps between records of `size` values, for probes that are `every` steps apart: large records are written more
 * rarely.
 */
export function recordInterval(every: number, size: number): number {
  const between = Math.floor(maxBytes / (4 * size)) - 2;
  return every * Math.ceil(maxProbes / Math.min(maxProbes, Math.max(1, between)));
}

/** A file with a record for each probe. */
export class ProbeRecords {
  readonly #times: ProbeTimes;
  readonly #records: RecordAppender;

  /** @param size values of a record. */
  constructor(path: string, size: number, times: ProbeTimes) {
    this.#times = times;
    this.#records = openRecords(path, size);
  }

  /** Whether there is a record after step `step`; 0 is before training. */
  due(step: number): boolean {
    return step % this.#times.every === 0 || step === this.#times.steps;
  }

  get file(): GrownFile {
    return this.#records;
  }

  append(record: Float32Array): void {
    this.#records.append(record);
  }

  /** Drops the records after step `step`. */
  restore(step: number): void {
    const { every, steps } = this.#times;
    const end = step === steps && step % every !== 0 ? 1 : 0;
    this.#records.truncateTo(step === 0 ? 0 : Math.floor(step / every) + 1 + end);
  }

  sync(): void {
    this.#records.sync();
  }

  close(): void {
    this.#records.close();
  }
}

/** A record of `routing-probe.f32`; -1 where a token has fewer than k experts. */
export function choicesRecord(
  windows: readonly RoutedWindow[],
  config: ModelConfig,
  index: RoutingProbeIndex,
): Float32Array {
  const { size, blocks } = probeLayout(index);
  const record = new Float32Array(size).fill(-1);
  for (const block of blocks) {
    const window = windows.find(({ domain }) => domain === block.name);
    for (const position of index.layers.keys())
      for (let token = 0; window && token < window.choices.tokens; token++) {
        const chosen = window.choices.of(position, token).subarray(0, decidingChoices(config, position));
        record.set(chosen, partOf(block, position, token).start);
      }
  }
  return record;
}

/**
 * A record of `routing-probe-detail.f32`.
 *
 * @param counted each domain's statistics, counted separately; empty for a domain without tokens
 */
export function detailRecord(
  windows: readonly RoutedWindow[],
  counted: readonly Readonly<Record<string, ArrayLike<number>>>[],
  config: ModelConfig,
  index: RoutingProbeDetailIndex,
): Float32Array {
  const layout = probeDetailLayout(index);
  const record = new Float32Array(layout.size);
  const followed: StatisticValues = followedStatistics(windows, config, index.domains);
  for (const block of layout.blocks) {
    const values = followed[block.name];
    if (values) record.set(values, block.start);
    else
      for (const [domain, results] of counted.entries())
        record.set(results[block.name] ?? [], partOf(block, domain).start);
  }
  return record;
}
