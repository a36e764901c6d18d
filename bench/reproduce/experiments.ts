import { stringify } from "yaml";

/** The experiments that the paper's tables 1 to 5 become at small scale. */

export interface Corpora {
  code: string[];
  knowledge: string;
  math: string;
}

/** How much is trained. Tokens; the three stages of BTX in about the proportions of a seed that has learned something. */
export interface Scale {
  name: string;
  seedTokens: number;
  expertTokens: number;
  /** Finetuning of the models that are compared with the baselines (tables 2 and 3). */
  finetuneTokens: number;
  /** Finetuning of routers and ablations (tables 4 and 5), shorter as in the paper. */
  ablationTokens: number;
  randomSeeds: number[];
}

export const scales = {
  full: {
    name: "full",
    seedTokens: 3_000_000,
    expertTokens: 750_000,
    finetuneTokens: 2_000_000,
    ablationTokens: 600_000,
    randomSeeds: [1, 2, 3],
  },
  quick: {
    name: "quick",
    seedTokens: 1_500_000,
    expertTokens: 400_000,
    finetuneTokens: 1_000_000,
    ablationTokens: 300_000,
    randomSeeds: [1],
  },
} as const satisfies Record<string, Scale>;

const model = { layers: 4, hidden: 64, heads: 4, kvHeads: 2, ffn: 192, context: 128 };
/** Learning rates: an expert moves a third as fast as the seed did, as in the paper (1e-4 after Llama-2's 3e-4). */
const rates = { seed: 3e-3, experts: 1e-3, finetune: 3e-3 };

/** A mix and its finetuning; what is not said is BTX's default. */
interface Variant {
  name: string;
  mix?: object;
  finetune?: object;
  /** Tokens of finetuning: "main" or "ablation". */
  length: "main" | "ablation";
  compare?: string[];
}

const unbalanced = { loadBalance: 0 };

/** The first is set against the baselines; the others answer tables 4 and 5. */
export const variants: readonly Variant[] = [
  { name: "main", length: "main", compare: ["average", "dense", "upcycling", "upcycling-compute", "btm"] },
  { name: "balanced", length: "ablation" },
  { name: "unbalanced", length: "ablation", mix: { router: unbalanced } },
  { name: "frozen", length: "ablation", mix: { router: unbalanced }, finetune: { freeze: ["experts"] } },
  { name: "blend", length: "ablation", mix: { blend: true } },
  { name: "split, top-2 of 8", length: "ablation", mix: { split: 2, router: { k: 2 } } },
  { name: "split, top-4 of 8", length: "ablation", mix: { split: 2, router: { k: 4 } } },
  { name: "soft", length: "ablation", mix: { router: { type: "soft", ...unbalanced } } },
  { name: "sample-top-1", length: "ablation", mix: { router: { type: "sample-top-1", ...unbalanced } } },
  // Experts are as full in evaluation as in training: the paper's Switch is the same in both.
  {
    name: "switch",
    length: "ablation",
    mix: { router: { type: "switch", capacity: 1.5, evaluationCapacity: 1.5, ...unbalanced } },
  },
];

const common = (corpora: Corpora) => ({
  model,
  domains: {
    code: { files: corpora.code },
    knowledge: { files: corpora.knowledge },
    math: {
      files: corpora.math,
      ...(/\.(jsonl|parquet)(\.gz)?$/.test(corpora.math) ? { text: "{question}\n{answer}" } : {}),
    },
  },
  training: { batch: 16, learningRate: rates.seed },
  evaluate: { tokens: 32_768, answers: 0 },
});

/** The experiment that trains the seed, which all others branch. */
export const seedExperiment = (corpora: Corpora, { seedTokens }: Scale): string =>
  stringify({
    name: "seed",
    ...common(corpora),
    tokenizer: { type: "bpe", vocab: 1024 },
    seed: { tokens: seedTokens },
  });

/** One experiment on the seed in the folder `seed`. */
export function variantExperiment(variant: Variant, corpora: Corpora, scale: Scale, seed: string): string {
  const tokens = variant.length === "main" ? scale.finetuneTokens : scale.ablationTokens;
  return stringify({
    name: variant.name,
    ...common(corpora),
    seed: { from: seed },
    experts: { tokens: scale.expertTokens, learningRate: rates.experts },
    mix: variant.mix ?? {},
    finetune: { tokens, learningRate: rates.finetune, ...variant.finetune },
    ...(variant.compare ? { compare: variant.compare } : {}),
  });
}
