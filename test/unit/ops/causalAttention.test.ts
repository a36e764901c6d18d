import type { Tensor } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { causalAttention, causalBlocks } from "../../../server/ops/causalAttention.ts";
import { expectClose, expectGradients, randomInputs, useCpu } from "./support.ts";

type Rank4 = number[][][][];

/** Every query head with its key head, by loops: row t*G + g attends to times 0 to t, or to the last of them. */
function reference(q: Tensor, k: Tensor, v: Tensor, window = Number.POSITIVE_INFINITY, cap?: number): number[] {
  const [queries, keys, contents] = [q, k, v].map((x) => x.arraySync() as Rank4) as [Rank4, Rank4, Rank4];
  const group = q.shape[2]! / k.shape[2]!;
  return queries.flatMap((heads, b) =>
    heads.flatMap((rows, h) =>
      rows.flatMap((query, row) => {
        const seen = Math.floor(row / group) + 1;
        const first = Math.max(0, seen - window);
        const product = (key: number[]) => key.reduce((sum, x, i) => sum + x * query[i]!, 0);
        const scores = keys[b]![h]!.slice(first, seen).map(product);
        const exps = scores.map((score) => Math.exp(cap === undefined ? score : cap * Math.tanh(score / cap)));
        const total = exps.reduce((sum, x) => sum + x, 0);
        return query.map((_, i) => exps.reduce((sum, x, t) => sum + (x / total) * contents[b]![h]![first + t]![i]!, 0));
      }),
    ),
  );
}

describe("causalAttention", () => {
  beforeAll(useCpu);

  for (const { group, time, blocks } of [
    { group: 1, time: 4, blocks: 1 },
    { group: 2, time: 5, blocks: 1 },
    { group: 1, time: 6, blocks: 3 },
    { group: 3, time: 7, blocks: 2 },
  ]) {
    const random = randomInputs(11 + time);
    const q = random.normal([2, 2, time * group, 4]);
    const [k, v] = [random.normal([2, 2, time, 4]), random.normal([2, 2, time, 4])];

    test(`lets each query see the keys up to its time: ${group} heads a key head, ${blocks} blocks`, () => {
      expectClose(causalAttention(q, k, v, causalBlocks(time, group, { count: blocks })), reference(q, k, v));
    });

    test(`has the gradient of its value in q, k and v: ${group} heads a key head, ${blocks} blocks`, () => {
      expectGradients((a, b, c) => causalAttention(a, b, c, causalBlocks(time, group, { count: blocks })), [q, k, v]);
    });
  }

  for (const { window, cap } of [{ window: 2 }, { cap: 0.7 }, { window: 3, cap: 1.5 }] as {
    window?: number;
    cap?: number;
  }[]) {
    const random = randomInputs(5);
    const q = random.normal([2, 2, 14, 4]);
    const [k, v] = [random.normal([2, 2, 7, 4]), random.normal([2, 2, 7, 4])];
    const computed = (a: Tensor, b: Tensor, c: Tensor) =>
      causalAttention(a, b, c, causalBlocks(7, 2, { window, count: 2 }), undefined, cap);

    test(`sees the last ${window ?? "of all"} keys, scores capped at ${cap ?? "nothing"}, with the gradient of that`, () => {
      expectClose(computed(q, k, v), reference(q, k, v, window, cap));
      expectGradients(computed, [q, k, v]);
    });
  }

  test("splits long sequences into blocks that together cover every query once", () => {
    const blocks = causalBlocks(600, 2);
    expect(blocks.length).toBeGreaterThan(1);
    expect(blocks.map(({ from }) => from)).toEqual([0, ...blocks.slice(0, -1).map(({ to }) => to)]);
    expect(blocks.at(-1)!.to).toBe(600);
    expect(blocks.every(({ from, to, mask }) => mask.shape[0] === 2 * (to - from) && mask.shape[1] === to)).toBe(true);
  });
});
