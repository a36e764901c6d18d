import type { Phase, Plan, PlannedStage, StageSpec } from "../protocol/stage.ts";
import { expertStage } from "../protocol/stageKinds.ts";
import { equalCompute, type Trained } from "./equalCompute.ts";
import { planInputs } from "./inputs.ts";
import { stageKey, stageRandomSeed } from "./keys.ts";
import { trainingPhase } from "./phases.ts";
import type { Experiment } from "./resolve.ts";

/**
 * The stages of an experiment, each after its parents: data, seed, one expert per domain, mix, finetune, the baselines
 * of `compare`, and evaluations. An evaluation is named "evaluate:" plus the name of the stage that makes its model.
 * Reads and hashes the domains' files; run `checkExperiment` first for problems with positions.
 * @param file path of the experiment file; its folder is where relative paths begin.
 * @throws UserError when a file, the tokenizer or the seed's folder cannot be read.
 */
export async function planExperiment(experiment: Experiment, file: string): Promise<Plan> {
  const inputs = await planInputs(experiment, file);
  const { shape, vocab } = inputs;
  const { mix, moeLayers } = experiment;
  const list = new StageList();
  const random = (stage: string) => stageRandomSeed(experiment.randomSeed, stage);

  const data = list.add("data", inputs.data);
  const seedPhases =
    "from" in experiment.seed
      ? []
      : [trainingPhase(experiment.seed.tokens, experiment.seed.mixture, experiment.seed.training, shape.context)];
  // A loaded seed draws no random numbers, so its key must not depend on the random seed.
  const seedRandom = seedPhases.length > 0 ? random("seed") : 0;
  list.add(
    "seed",
    { kind: "seed", model: shape, randomSeed: seedRandom, from: inputs.from, phases: seedPhases },
    { data },
  );
  const expertPhases = new Map<string, Phase>();
  for (const [domain, { tokens, training }] of experiment.domains) {
    const name = expertStage(domain);
    const phase = trainingPhase(tokens, { [domain]: 1 }, training, shape.context);
    expertPhases.set(domain, phase);
    list.add(name, { kind: "expert", randomSeed: random(name), phases: [phase] }, { data, model: "seed" });
  }

  const { experts, router, split, blend, routerInit } = mix;
  list.add(
    "mix",
    { kind: "mix", experts, layers: moeLayers, router, split, blend, routerInit, randomSeed: random("mix") },
    { ...(routerInit ? { data } : {}), ...expertRoles(experts, expertStage) },
  );
  const { tokens, mixture, training, freeze } = experiment.finetune;
  const trained = trainingPhase(tokens, mixture, training, shape.context);
  const finetune: Phase = freeze ? { ...trained, training: { ...trained.training, freeze } } : trained;
  list.add(
    "finetune",
    { kind: "finetune", randomSeed: random("finetune"), phases: [finetune] },
    { data, model: "mix" },
  );
  const models = ["seed", ...[...experiment.domains.keys()].map(expertStage), "mix", "finetune"];
  const mixed = [...expertPhases].filter(([domain]) => experts.includes(domain)).map(([, phase]) => phase);
  models.push(...addBaselines(list, experiment, { shape, vocab, experts: mixed, finetune }));

  const domains = [...experiment.domains.keys()];
  const evaluate: StageSpec = { kind: "evaluate", domains, ...experiment.evaluate };
  for (const model of models) list.add(`evaluate:${model}`, evaluate, { data, model });
  if (experiment.compare.includes("btm")) addEnsembles(list, experts, domains);
  return list.stages;
}

/** Adds the baselines of BTX §4.1.2 that are models of their own, and returns their names. */
function addBaselines(list: StageList, experiment: Experiment, trained: Trained): string[] {
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
 * Adds the mixture from which sparse upcycling starts: one copy of the seed for each mixed model, with the same router
 * and split. Blocks are not blended, since blended copies are the same copies in another order, and routers start at
 * random, since text would give every copy the same row.
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
 * The training of the mixed experts as one phase: all their tokens, each domain in proportion to its expert's tokens.
 * Data matching, BTX §4.1.2. Empty if only the seed is mixed.
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

/** Experts per token of Branch-Train-Merge ensembles: top-1 and top-2, BTX §4.1.2. */
const ensembleSizes = [1, 2];

/** Adds the Branch-Train-Merge ensembles "btm:<weights>:<k>", computed from the evaluations of the mixed models. */
function addEnsembles(list: StageList, experts: string[], domains: string[]): void {
  const parents = { data: "data", ...expertRoles(experts, (expert) => `evaluate:${expertStage(expert)}`) };
  for (const weights of ["tf-idf", "bayes"] as const)
    for (const k of ensembleSizes.filter((size) => size <= experts.length))
      list.add(`btm:${weights}:${k}`, { kind: "btm", experts, domains, weights, k }, parents);
}

/** Stages in order, with their keys. */
class StageList {
  readonly stages: Plan = [];
  readonly #keys = new Map<string, string>();

  /** Adds a stage, whose parents must have been added before, and returns its name. */
  add(name: string, spec: StageSpec, parents: Record<string, string> = {}): string {
    const keys = Object.fromEntries(Object.entries(parents).map(([role, parent]) => [role, this.#keys.get(parent)!]));
    const stage: PlannedStage = { name, key: stageKey(spec, keys), spec, parents };
    this.stages.push(stage);
    this.#keys.set(name, stage.key);
    return name;
  }
}

/** Parents in the roles "expert:<name>". */
const expertRoles = (experts: readonly string[], stage: (expert: string) => string): Record<string, string> =>
  Object.fromEntries(experts.map((expert) => [`expert:${expert}`, stage(expert)]));
