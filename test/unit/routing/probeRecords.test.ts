import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ProbeRecords, recordInterval } from "../../../server/routing/probeRecords.ts";
import { temporaryFolder } from "../stages/support.ts";

/** Writes the records of steps `from` to `to`, two values each that say the step. */
function write(records: ProbeRecords, from: number, to: number): void {
  for (let step = from; step <= to; step++) if (records.due(step)) records.append(Float32Array.of(step, -step));
}

const stepsIn = (path: string) =>
  [...new Float32Array(new Uint8Array(readFileSync(path)).buffer)].filter((_, at) => at % 2 === 0);

test("there is a record before training, after every few steps and after the last one, wherever training is taken up", () => {
  for (const { every, steps, expected } of [
    { every: 3, steps: 7, expected: [0, 3, 6, 7] },
    { every: 3, steps: 6, expected: [0, 3, 6] },
    { every: 9, steps: 4, expected: [0, 4] },
  ])
    for (let stop = 0; stop <= steps; stop++)
      for (let saved = 0; saved <= stop; saved++) {
        const path = join(temporaryFolder(), "probe.f32");
        const first = new ProbeRecords(path, 2, { every, steps });
        write(first, 0, stop);
        first.close();
        // As a writer leaves it that is killed in the middle of a record.
        appendFileSync(path, Buffer.alloc(5, 1));
        const next = new ProbeRecords(path, 2, { every, steps });
        next.restore(saved);
        write(next, saved === 0 ? 0 : saved + 1, steps);
        next.close();
        expect(stepsIn(path)).toEqual(expected);
      }
});

test("large records are written less often, so that a file of them stays below 64 MB", () => {
  expect(recordInterval(5, 1000)).toBe(5);
  for (const size of [1e5, 7e5, 8e5, 1e6, 3e6, 5e6, 8e6]) {
    const every = recordInterval(5, size);
    expect(every % 5).toBe(0);
    // Of 20 times 5 steps, or fewer: one before them, one after the last.
    for (const steps of [96, 99, 100]) {
      const records = Array.from({ length: steps + 1 }, (_, step) => step).filter(
        (step) => step % every === 0 || step === steps,
      );
      expect(records.length * size * 4).toBeLessThanOrEqual(64 << 20);
    }
  }
  expect(recordInterval(5, 1e6)).toBeGreaterThan(5);
});
