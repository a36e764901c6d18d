import { describe, expect, it } from "vitest";
import { Turns } from "../../../server/stream/turns.ts";

/** Work that ends when it is told to. */
function jobs(turns: Turns, count: number) {
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const cancels = Array.from({ length: count }, () => new AbortController());
  const results = cancels.map(({ signal }, index) =>
    turns.run(signal, () => {
      begun.push(index);
      return new Promise<number>((resolve) => {
        ends[index] = () => resolve(index);
      });
    }),
  );
  return { begun, ends, cancels, results };
}

describe("turns", () => {
  it("go to so many at once, then to who has waited longest", async () => {
    const { begun, ends, results } = jobs(new Turns(2), 4);
    expect(begun).toEqual([0, 1]);
    ends[1]!();
    await results[1];
    expect(begun).toEqual([0, 1, 2]);
    ends[0]!();
    await results[0];
    expect(begun).toEqual([0, 1, 2, 3]);
  });

  it("pass over work that is cancelled while it waits", async () => {
    const turns = new Turns(1);
    const { begun, ends, cancels, results } = jobs(turns, 3);
    cancels[1]!.abort();
    expect(await results[1]).toBeUndefined();
    ends[0]!();
    expect(await results[0]).toBe(0);
    expect(begun).toEqual([0, 2]);
    ends[2]!();
    await results[2];
    expect(await turns.run(AbortSignal.abort(), async () => 5)).toBeUndefined();
    expect(await turns.run(new AbortController().signal, async () => 5)).toBe(5);
  });

  it("come after work that failed", async () => {
    const turns = new Turns(1);
    const { signal } = new AbortController();
    await expect(turns.run(signal, () => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
    expect(await turns.run(signal, async () => 5)).toBe(5);
  });
});
