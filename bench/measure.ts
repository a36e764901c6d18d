import type { Measured } from "./program.ts";

/** What is run again and again. */
type Repeated = Pick<Measured, "run" | "flops" | "tokens">;

export const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Seconds of one run: the mean over as many runs as fill `seconds`. */
async function secondsOf(measured: Repeated, seconds: number): Promise<number> {
  const start = performance.now();
  let runs = 0;
  let elapsed = 0;
  while (elapsed < seconds * 1000) {
    await measured.run();
    runs++;
    elapsed = performance.now() - start;
  }
  return elapsed / 1000 / runs;
}

export interface Rates {
  /** FLOP/s of each, by name: the median over rounds. */
  flops: Record<string, number>;
  tokensPerSecond: Record<string, number>;
  /** Share of the reference's FLOP/s in the same round: the median over rounds. */
  share: Record<string, number>;
}

/**
 * Measures several things in turn, round after round, so that what else the machine does falls on all of them alike;
 * shares are taken within a round, against the fastest of `references`.
 */
export async function rounds(
  measured: Record<string, Repeated>,
  references: string[],
  count: number,
  seconds: number,
): Promise<Rates> {
  const names = Object.keys(measured);
  for (const name of names) await measured[name]!.run();
  const flops: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  const share: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < count; round++) {
    for (const name of names) flops[name]!.push(measured[name]!.flops / (await secondsOf(measured[name]!, seconds)));
    const best = Math.max(...references.map((name) => flops[name]!.at(-1)!));
    for (const name of names) share[name]!.push(flops[name]!.at(-1)! / best);
  }
  const medians = (values: Record<string, number[]>) =>
    Object.fromEntries(names.map((name) => [name, median(values[name]!)]));
  const rate = medians(flops);
  const tokensPerSecond = Object.fromEntries(
    names.map((name) => [name, (rate[name]! / measured[name]!.flops) * measured[name]!.tokens]),
  );
  return { flops: rate, tokensPerSecond, share: medians(share) };
}
