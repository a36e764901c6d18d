import type { Phase, StageSpec } from "../protocol/stage.ts";
import { equalCompute, type Trained } from "./equalCompute.ts";
import { stageRandomSeed } from "./keys.ts";
import { trainingPhase } from "./phases.ts";
import type { Experiment } from "./resolve.ts";
import { expertRoles, expertStage, type StageList } from "./stageList.ts";

/** Adds the baselines that are models of their own, after BTX §4.1.2; gives their names. */
export function addBaselines(list: StageList, experiment: Experiment, trained: Trained): string[] {
  const { experts } = experiment.mix;
  const { context } = trained.shape;
  const wanted = (baseline: Experiment["compare"][number]) => experiment.compare.includes(baseline);
  const models: string[] = [];
  const addTrained = (name: string, kind: "dense" | "upcycling", model: string, phases: Phase[]) =>
    models.push(
      list.add(
        name,
        { kind, randomSeed: stageRandomSeed(experiment.randomSeed, name), phases },
        { data: "data", model },
      ),
    );
  const { tokens, mixture, training } = experiment.finetune;
  const asFinetuned = (count: number): Phase => trainingPhase(count, mixture, training, context);
  const equalData = [...expertsPhase(experiment, context), asFinetuned(tokens)];

  if (wanted("average"))
    models.push(list.add("average", { kind: "average", experts }, expertRoles(experts, expertStage)));
  if (wanted("dense")) addTrained("dense", "dense", "seed", equalData);
  if (wanted("upcycling") || wanted("upcycling-compute")) {
    const mix = addCopies(list, experiment);
    if (wanted("upcycling")) addTrained("upcycling", "upcycling", mix, equalData);
    if (wanted("upcycling-compute"))
      addTrained("upcycling-compute", "upcycling", mix, [asFinetuned(equalCompute(experiment, trained))]);
  }
  return models;
}

/**
 * Adds the mixture that sparse upcycling starts from: a copy of the seed for each model that is mixed, with the same
 * router and split. Blended copies would be the copies in another order, and rows from text would be alike, so blocks
 * stay whole and rows are random.
 */
function addCopies(list: StageList, { mix, moeLayers, randomSeed }: Experiment): string {
  const name = "upcycling:mix";
  const experts = mix.experts.map((_, i) => `copy${i + 1}`);
  const { router, split } = mix;
  const spec: StageSpec = {
    kind: "mix",
    experts,
    layers: moeLayers,
    router,
    split,
    randomSeed: stageRandomSeed(randomSeed, name),
  };
  return list.add(
    name,
    spec,
    expertRoles(experts, () => "seed"),
  );
}

/**
 * What the mixed experts were trained on, as one phase: all their tokens, each domain in proportion to its expert's.
 * Data matching of BTX §4.1.2. Empty when only the seed is mixed.
 */
function expertsPhase(experiment: Experiment, context: number): Phase[] {
  const mixture = Object.fromEntries(
    [...experiment.domains]
      .filter(([name]) => experiment.mix.experts.includes(name))
      .map(([name, domain]) => [name, domain.tokens]),
  );
  const tokens = Object.values(mixture).reduce((sum, count) => sum + count, 0);
  return tokens === 0 ? [] : [trainingPhase(tokens, mixture, experiment.experts.training, context)];
}

/** Experts a Branch-Train-Merge ensemble goes to for a token: top-1 and top-2 of BTX §4.1.2. */
const ensembleSizes = [1, 2];

/** Adds the Branch-Train-Merge ensembles, "btm:<weights>:<k>", of the evaluations of the models that are mixed. */
export function addEnsembles(list: StageList, experts: string[], domains: string[]): void {
  const parents = { data: "data", ...expertRoles(experts, (expert) => `evaluate:${expertStage(expert)}`) };
  for (const weights of ["tf-idf", "bayes"] as const)
    for (const k of ensembleSizes.filter((size) => size <= experts.length))
      list.add(`btm:${weights}:${k}`, { kind: "btm", experts, domains, weights, k }, parents);
}
