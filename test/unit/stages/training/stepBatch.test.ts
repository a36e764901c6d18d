import { describe, expect, test } from "vitest";
import { microBatch, type StepBatch, sequences } from "../../../../server/stages/training/stepBatch.ts";
import { mixture } from "../../../fixtures/models.ts";

const config = { ...mixture, context: 2 };
/** Four sequences of three ids, of two layers' noise for their eight tokens and four experts: number = place. */
const batch: StepBatch = {
  windows: Int32Array.from({ length: 4 * 3 }, (_, i) => i),
  domain: Int32Array.of(0, 1, 2, 3),
  noise: Float32Array.from({ length: 2 * 8 * 4 }, (_, i) => i),
};
const from = (start: number, length: number) => Array.from({ length }, (_, i) => start + i);

describe("a micro-batch", () => {
  test("has its own sequences, and their rows of noise in every layer", () => {
    const second = microBatch(batch, 1, 2, config);
    expect([...second.windows]).toEqual(from(6, 6));
    expect([...second.domain]).toEqual([2, 3]);
    // Layer 0: tokens 4 to 7 of four numbers each; layer 1 begins at 32.
    expect([...second.noise!]).toEqual([...from(16, 16), ...from(32 + 16, 16)]);
  });

  test("and the others together are the batch", () => {
    const parts = [0, 1, 2, 3].map((part) => microBatch(batch, part, 4, config));
    expect(parts.flatMap(({ windows }) => [...windows])).toEqual([...batch.windows]);
    expect(parts.flatMap(({ domain }) => [...domain])).toEqual([...batch.domain]);
    for (const layer of [0, 1]) {
      const rows = parts.flatMap(({ noise }) => [...noise!.subarray(layer * 8, (layer + 1) * 8)]);
      expect(rows).toEqual(from(layer * 32, 32));
    }
  });

  test("has no noise where the batch has none", () => {
    const { windows, domain } = batch;
    expect(microBatch({ windows, domain }, 0, 2, config)).not.toHaveProperty("noise");
  });
});

test("a program reads inputs, targets one place later, weights of 1, domains and noise", () => {
  const inputs = sequences(microBatch(batch, 1, 4, config), config);
  expect(Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, [...data]]))).toEqual({
    tokens: [3, 4],
    targets: [4, 5],
    weights: [1, 1],
    domain: [1],
    noise: [...from(8, 8), ...from(32 + 8, 8)],
  });
  const { moe: _, ...dense } = config;
  expect(sequences({ windows: batch.windows, domain: batch.domain }, dense)).not.toHaveProperty("domain");
});
