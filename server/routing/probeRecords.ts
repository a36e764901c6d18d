import { openRecords, type RecordAppender } from "../runs/append.ts";

/** Probes of a training at most, besides the first one and the last one. */
export const mostProbes = 20;
/** Bytes of a file of probes, at most; but the first one and the last one are always kept. */
const mostBytes = 64 << 20;

/** When a probe is written: before training, after every `every` steps and after the last of `steps`. */
export interface ProbeTimes {
  every: number;
  steps: number;
}

/**
 * Steps between records of `size` values where `every` steps part probes: fewer records where they are large.
 */
export function thinned(every: number, size: number): number {
  const between = Math.floor(mostBytes / (4 * size)) - 2;
  return every * Math.ceil(mostProbes / Math.min(mostProbes, Math.max(1, between)));
}

/** A file of probes, one record each time; it goes back to where a resumed training stands. */
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

  append(record: Float32Array): void {
    this.#records.append(record);
  }

  /** Keeps the records up to where `step` steps were taken. */
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
