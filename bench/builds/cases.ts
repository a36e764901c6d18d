import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { experimentText, type Sections, writeExperiment } from "../../test/fixtures/experiment.ts";

/** Experiments that two builds are compared in: a seed, two experts, a mix of three, twenty steps of finetuning. */

/** Twenty steps of 4 sequences of 40 tokens. */
const tokens = 20 * 4 * 40;

const common: Sections = {
  // Three models can be blended, and each can be cut in two.
  model: "{layers: 2, hidden: 16, heads: 2, ffn: 48, context: 40}",
  seed: `{tokens: ${tokens}}`,
  experts: "{tokens: 1600}",
  finetune: `{tokens: ${tokens}}`,
  compare: undefined,
};

const router = (keys: string, rest = ""): string => `{experts: [words, sums, seed], router: {${keys}}${rest}}`;
const finetune = (keys: string): string => `{tokens: ${tokens}, ${keys}}`;

export interface Case {
  name: string;
  sections: Sections;
  /** A column of `metrics.jsonl` that is above 0 somewhere, or the case would not try what it is for. */
  reaches?: string;
}

export const cases: Case[] = [
  {
    name: "top-k and all baselines",
    sections: { mix: router("k: 2"), compare: "[average, dense, upcycling, upcycling-compute, btm]" },
    reaches: "loadBalance",
  },
  {
    name: "softmax before, accumulation",
    sections: { mix: router("softmax: before"), finetune: finetune("microBatch: 1") },
  },
  {
    name: "switch, dropped tokens",
    sections: {
      mix: router("type: switch, capacity: 1, evaluationCapacity: 1.1"),
      finetune: finetune("microBatch: 2"),
    },
    reaches: "droppedShare",
  },
  {
    name: "switch, bias",
    sections: { mix: router("type: switch, capacity: 1, balance: bias, biasRate: 0.01") },
    reaches: "droppedShare",
  },
  { name: "sample top-1", sections: { mix: router("type: sample-top-1") }, reaches: "loadBalance" },
  { name: "sample top-1, none", sections: { mix: router("type: sample-top-1, balance: none") } },
  { name: "soft", sections: { mix: router("type: soft"), finetune: finetune("microBatch: 2") } },
  { name: "balance: switch", sections: { mix: router("balance: switch") }, reaches: "loadBalance" },
  { name: "balance: bias", sections: { mix: router("balance: bias"), finetune: finetune("microBatch: 2") } },
  {
    name: "zLoss",
    sections: { mix: router("zLoss: 0.01"), finetune: finetune("microBatch: 2") },
    reaches: "loadBalance",
  },
  { name: "zLoss alone", sections: { mix: router("zLoss: 0.01, balance: none") }, reaches: "loadBalance" },
  {
    name: "balanceOver: batch",
    sections: { mix: router("balanceOver: batch, zLoss: 0.01"), finetune: finetune("microBatch: 2") },
    reaches: "loadBalance",
  },
  { name: "recompute", sections: { mix: router("k: 2"), finetune: finetune("recompute: true, microBatch: 2") } },
  { name: "freeze: [experts]", sections: { mix: router("k: 2"), finetune: finetune("freeze: [experts]") } },
  {
    name: "freeze the rest",
    sections: { mix: router("k: 2"), finetune: finetune("freeze: [attention, router, embeddings]") },
  },
  { name: "no clipping", sections: { mix: router("k: 2"), finetune: finetune("clip: 0, microBatch: 2") } },
  { name: "split: 2", sections: { mix: router("k: 4", ", split: 2") } },
  { name: "blend: true", sections: { mix: router("k: 2", ", blend: true") } },
  { name: "init: hidden", sections: { mix: router("init: hidden, initTokens: 400") } },
  { name: "init: domains", sections: { mix: router("init: domains, initTokens: 400") } },
  {
    name: "biases, tied, one layer",
    sections: {
      model:
        "{layers: 3, hidden: 16, heads: 2, kvHeads: 1, ffn: 48, context: 40, tiedEmbeddings: true, attentionBias: true, ffnBias: true, moeLayers: [1]}",
      mix: router("k: 1", ", split: 2"),
    },
  },
];

/** Name of a case's experiment file. */
export const fileOf = ({ name }: Case): string => `${name.replaceAll(/[^\w]+/g, "-")}.btx.yaml`;

/** Writes the domains' texts and the experiment files of `chosen` into `folder`. */
export function writeCases(folder: string, chosen: Case[]): void {
  writeExperiment(folder);
  for (const one of chosen) writeFileSync(join(folder, fileOf(one)), experimentText({ ...common, ...one.sections }));
}
