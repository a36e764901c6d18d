import { describe, expect, it } from "vitest";
import { comparedRouting } from "../../../server/compare/routing.ts";
import type { RoutingSummary } from "../../../server/protocol/routingFiles.ts";

/** Two layers, two experts, two domains. */
const summary = (routedTokens: number[][][], droppedTokens?: number[][][]): RoutingSummary => ({
  layers: [0, 3],
  experts: ["code", "seed"],
  domains: ["a", "b"],
  routedTokens,
  gateMass: routedTokens,
  tokens: [100, 10],
  ...(droppedTokens ? { droppedTokens } : {}),
});
const first = [
  [
    [100, 5],
    [100, 15],
  ],
  [
    [60, 10],
    [140, 10],
  ],
];

describe("comparedRouting", () => {
  it("gives shares of routed tokens, a mean over layers, which add up to 1 whatever K is", () => {
    const { share } = comparedRouting([summary(first)]);
    // Domain a: (100/200 + 60/200) / 2; domain b: (5/20 + 10/20) / 2.
    expect(share[0]![0]).toBeCloseTo(0.4, 12);
    expect(share[0]![1]).toBeCloseTo(0.375, 12);
    for (const domain of [0, 1]) expect(share[0]![domain]! + share[1]![domain]!).toBeCloseTo(1, 12);
    const halved = first.map((layer) => layer.map((expert) => expert.map((tokens) => tokens / 2)));
    expect(comparedRouting([summary(halved)]).share).toEqual(share);
  });

  it("finds the largest and smallest share of an expert in a layer, every domain counting alike", () => {
    // Layer 0, code: (0.5 + 0.25) / 2 = 0.375; layer 3, code: (0.3 + 0.5) / 2 = 0.4.
    const { largest, smallest } = comparedRouting([summary(first)]);
    expect(largest).toEqual({ layer: 0, expert: "seed", share: 0.625 });
    expect(smallest).toEqual({ layer: 0, expert: "code", share: 0.375 });
  });

  it("is a mean over random seeds, and the extreme of them in its largest and smallest share", () => {
    const other = first.map((layer) => layer.toReversed());
    const { share, largest, smallest } = comparedRouting([summary(first), summary(other)]);
    for (const value of share.flat()) expect(value).toBeCloseTo(0.5, 12);
    expect([largest.share, smallest.share]).toEqual([0.625, 0.375]);
  });

  it("gives dropped tokens over those that chose an expert, and none where routers have no capacity", () => {
    const dropped = first.map((layer) => layer.map((expert) => expert.map(() => 5)));
    expect(comparedRouting([summary(first, dropped)]).dropped).toBeCloseTo(40 / 480, 12);
    expect(comparedRouting([summary(first)])).not.toHaveProperty("dropped");
  });

  it("is 0 and no error where a domain has no tokens", () => {
    const empty = first.map((layer) => layer.map(([tokens = 0]) => [tokens, 0]));
    const { share } = comparedRouting([summary(empty)]);
    expect(share.map(([, b]) => b)).toEqual([0, 0]);
  });
});
