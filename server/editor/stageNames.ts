import { expertStage } from "../experiment/plan.ts";
import type { Experiment } from "../experiment/resolve.ts";

export interface StageName {
  /** As `btx run --stage` takes it. */
  name: string;
  /** What it is, for people. */
  does: string;
}

/** What an experiment can be run up to, without reading its texts. */
export function stageNames({ domains, compare }: Experiment): StageName[] {
  const names = [...domains.keys()];
  const stages: StageName[] = [
    { name: "seed", does: "the model all experts start from" },
    { name: "experts", does: `all experts: ${names.join(", ")}` },
    ...names.map((name) => ({ name: expertStage(name), does: `the expert of ${name}` })),
    { name: "mix", does: "the experts mixed, not finetuned" },
    { name: "finetune", does: "the finetuned Mixture-of-Experts" },
    { name: "evaluate:finetune", does: "its held-out loss" },
  ];
  const baselines = compare.filter((name) => name !== "btm");
  if (compare.length > 0) stages.push({ name: "compare", does: `all baselines: ${compare.join(", ")}` });
  stages.push(...baselines.map((name) => ({ name, does: "a baseline" })));
  return stages;
}
