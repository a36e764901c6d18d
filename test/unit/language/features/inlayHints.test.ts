import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { type Costs, experimentCosts, type ModelCost } from "../../../../server/language/facts/costs.ts";
import type { Speed } from "../../../../server/language/facts/speed.ts";
import { inlayHints } from "../../../../server/language/features/inlayHints.ts";
import { bytes } from "../../../../server/protocol/format.ts";
import { cursor, opened } from "../support.ts";

const cost = (name: string, steps: number, tokens: number, flops: number): ModelCost => ({
  name,
  steps,
  tokens,
  flops,
  memory: 1e6,
});
const costs: Costs = {
  dense: { total: 910_000, active: 910_000 },
  mixed: { total: 3_100_000, active: 1_650_000 },
  routing: { perToken: 2, experts: 4 },
  seed: cost("seed", 1, 1000, 2e12),
  experts: [cost("a", 10, 20_000, 1e12), cost("b", 10, 20_000, 1e12), cost("c", 30, 60_000, 1e12)],
  finetune: cost("finetune", 1200, 2_400_000, 5e12),
};
const text = `model:
  layers: 2
domains:
  a: {files: x}
  b: {files: x}
  c: {files: x, tokens: 60k}
seed: {tokens: 1k} # short
experts: {tokens: 20k}
mix: {}
finetune:
  tokens: 2.4M
`;
const everything = { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } };

/** Lines of the text with the hints in them, in angle brackets. */
function shown(speed?: Speed, range = everything, given = costs): string[] {
  const snapshot = opened(text);
  const lines = text.split("\n");
  for (const { position, label } of inlayHints(snapshot, range, given, speed).reverse()) {
    const line = lines[position.line]!;
    lines[position.line] = `${line.slice(0, position.character)} <${label}>${line.slice(position.character)}`;
  }
  return lines.filter((line) => line.includes("<"));
}

describe("inlay hints", () => {
  const atOnce = bytes(1e6 * Math.min(3, availableParallelism()));

  it("say parameters, steps, tokens, operations and memory where they follow from", () => {
    expect(shown()).toEqual([
      "model: <910k parameters>",
      "  c: {files: x, tokens: 60k <30 steps>}",
      "seed: {tokens: 1k <1 step>} <2 TFLOP, 1 MB> # short",
      `experts: {tokens: 20k <10 steps each, 40k tokens in all>} <3 TFLOP, ${atOnce}>`,
      "mix: {} <3.1M parameters, 1.6M active>",
      "finetune: <5 TFLOP, 1 MB>",
      "  tokens: 2.4M <1,200 steps, about 1.2M tokens per expert>",
    ]);
  });

  it("say how long it takes where earlier runs tell", () => {
    const speed: Speed = { seconds: (kind, models) => (kind === "expert" ? models.length * 20 : undefined) };
    expect(shown(speed)).toContain(
      `experts: {tokens: 20k <10 steps each, 40k tokens in all>} <3 TFLOP, ${atOnce}, about 1m 00s>`,
    );
    expect(shown(speed)).toContain("finetune: <5 TFLOP, 1 MB>");
  });

  it("are given for the lines that are asked for", () => {
    const line = { start: { line: 8, character: 0 }, end: { line: 8, character: 9 } };
    expect(shown(undefined, line)).toEqual(["mix: {} <3.1M parameters, 1.6M active>"]);
  });

  it("say nothing of a seed that is loaded", () => {
    const { seed: _, ...rest } = costs;
    expect(shown(undefined, everything, rest).some((line) => line.startsWith("seed"))).toBe(false);
  });

  it("follow from a real file", async () => {
    const { snapshot } = cursor("|domains: {a: {files: x}}\nmodel: {layers: 1, hidden: 8, heads: 1, ffn: 16}\n");
    const found = inlayHints(
      snapshot,
      everything,
      (await experimentCosts(snapshot.parsed.experiment!, undefined))!,
      undefined,
    );
    // Embedding and head 2 x 1024 x 8, attention 4 x 8 x 8, feed-forward 3 x 8 x 16, norms 3 x 8.
    expect(found.map(({ label }) => label)).toEqual(["17k parameters"]);
  });
});
