import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { planExperiment } from "../../../server/experiment/plan.ts";
import type { Phase } from "../../../server/protocol/stage.ts";
import { folderWith, parsed } from "./folder.ts";

const files = { "code.txt": "let x = 1;\n", "prose.txt": "Once upon a time.\n", "math.txt": "1 + 1 = 2\n" };
const compute = `
domains:
  code: {files: code.txt, tokens: 30k}
  prose: {files: prose.txt, tokens: 10k}
  math: {files: math.txt, tokens: 10k}
finetune: {tokens: 20k}
mix: {experts: [code, prose, seed]}
compare: [upcycling-compute]
`;

/** FLOPs of training a token by PaLM's count, from the definition: sizes of the default model, experts of width `ffn`. */
function flopsByHand({
  vocab,
  blocks = 1,
  experts = 0,
  ffn = 352,
  frozenExperts = false,
}: {
  vocab: number;
  blocks?: number;
  experts?: number;
  ffn?: number;
  frozenExperts?: boolean;
}): number {
  const [layers, hidden, context] = [4, 128, 128];
  const feedForward = layers * blocks * 3 * hidden * ffn;
  const rest = layers * 4 * hidden * hidden + layers * hidden * experts + vocab * hidden;
  return 6 * (rest + 2 * layers * context * hidden) + (frozenExperts ? 4 : 6) * feedForward;
}

describe("upcycling of equal compute", () => {
  const stepTokens = 16 * 128;
  const steps = (tokens: number) => Math.ceil(tokens / stepTokens) * stepTokens;
  async function phase(yaml: string): Promise<Phase> {
    const folder = await folderWith(files);
    const stages = await planExperiment(parsed(yaml), join(folder, "demo.btx.yaml"));
    const spec = stages.find(({ name }) => name === "upcycling-compute")!.spec;
    if (spec.kind !== "upcycling" || spec.phases.length !== 1) throw new Error("not one phase of upcycling");
    return spec.phases[0]!;
  }
  /** Compares FLOPs to within half an optimizer step, the least that a whole number of steps allows. */
  function expectFlops(tokens: number, aToken: number, wanted: number) {
    expect(tokens % stepTokens).toBe(0);
    expect(Math.abs(tokens * aToken - wanted)).toBeLessThanOrEqual((stepTokens * aToken) / 2);
  }

  it("trains as in finetuning for the FLOPs of the mixed experts and the finetuning", async () => {
    const dense = flopsByHand({ vocab: 1024 });
    const mixed = flopsByHand({ vocab: 1024, blocks: 2, experts: 3 });
    const { tokens, mixture, training } = await phase(compute.replace("20k}", "20k, learningRate: 0.5}"));
    expect(mixture).toEqual({ code: 1, math: 1, prose: 1 });
    expect(training.learningRate).toBe(0.5);
    // The expert for math is not mixed.
    expectFlops(tokens, mixed, (steps(30_000) + steps(10_000)) * dense + steps(20_000) * mixed);
  });

  it("counts the router's experts a token, split experts, the vocabulary and what is frozen", async () => {
    const split = compute.replace("seed]}", "seed], split: 2, router: {type: top-k, k: 3}}");
    const frozen = `${split.replace("20k}", "20k, freeze: [experts]}")}tokenizer: {type: bytes}\n`;
    const sizes = { vocab: 257, blocks: 3, experts: 6, ffn: 176 };
    const [dense, mixed] = [flopsByHand({ vocab: 257 }), flopsByHand(sizes)];
    const finetuned = flopsByHand({ ...sizes, frozenExperts: true });
    const { tokens, training } = await phase(frozen);
    expect(training.freeze).toBeUndefined();
    expectFlops(tokens, mixed, (steps(30_000) + steps(10_000)) * dense + steps(20_000) * finetuned);
    const soft = flopsByHand({ vocab: 1024, blocks: 3, experts: 3 });
    const all = await phase(compute.replace("seed]}", "seed], router: {type: soft}}"));
    expectFlops(
      all.tokens,
      soft,
      (steps(30_000) + steps(10_000)) * flopsByHand({ vocab: 1024 }) + steps(20_000) * soft,
    );
  });

  it("trains for one step at least", async () => {
    const tiny = compute.replaceAll("10k", "1").replace("30k", "1").replace("20k}", "1, batch: 4096}");
    expect((await phase(tiny)).tokens).toBe(4096 * 128);
  });
});
