import type { ModelShape, Phase, Plan, PlannedStage, StageSpec } from "../protocol/stage.ts";
import { planInputs } from "./inputs.ts";
import { stageKey, stageRandomSeed } from "./keys.ts";
import { trainingPhase } from "./phases.ts";
import type { Experiment } from "./resolve.ts";

/** Stages in order, each with its key. */
class StageList {
  readonly stages: Plan = [];
  readonly #keys = new Map<string, string>();

  /** Adds a stage whose parents are already there; gives its name. */
  add(name: string, spec: StageSpec, parents: Record<string, string> = {}): string {
    const keys = Object.fromEntries(Object.entries(parents).map(([role, parent]) => [role, this.#keys.get(parent)!]));
    const stage: PlannedStage = { name, key: stageKey(spec, keys), spec, parents };
    this.stages.push(stage);
    this.#keys.set(name, stage.key);
    return name;
  }
}

/** Name of the stage that gives the expert of this name: a domain's expert, or the seed. */
const expertStage = (expert: string): string => (expert === "seed" ? "seed" : `expert:${expert}`);

const roles = (experts: readonly string[], stage: (expert: string) => string): Record<string, string> =>
  Object.fromEntries(experts.map((expert) => [`expert:${expert}`, stage(expert)]));

/**
 * The stages of an experiment, each after its parents: data, seed, an expert a domain, mix, finetune, the baselines of
 * `compare` and the evaluations. The evaluation of a model is named "evaluate:" and the stage that made the model.
 * Reads and hashes the domains' files; run `checkExperiment` first for problems with positions.
 * @param file path of the experiment file; its folder is where relative paths begin.
 * @throws UserError when a file, the tokenizer or the seed's folder cannot be read.
 */
export async function planExperiment(experiment: Experiment, file: string): Promise<Plan> {
  const inputs = await planInputs(experiment, file);
  const { shape } = inputs;
  const list = new StageList();
  const random = (stage: string) => stageRandomSeed(experiment.randomSeed, stage);

  const data = list.add("data", inputs.data);
  const seedPhases =
    "from" in experiment.seed
      ? []
      : [trainingPhase(experiment.seed.tokens, experiment.seed.mixture, experiment.seed.training, shape.context)];
  list.add(
    "seed",
    { kind: "seed", model: shape, randomSeed: random("seed"), from: inputs.from, phases: seedPhases },
    { data },
  );
  for (const [domain, { tokens, training }] of experiment.domains) {
    const name = expertStage(domain);
    const phases = [trainingPhase(tokens, { [domain]: 1 }, training, shape.context)];
    list.add(name, { kind: "expert", randomSeed: random(name), phases }, { data, model: "seed" });
  }

  const { experts } = experiment.mix;
  list.add("mix", mixSpec(experiment, experts, random("mix")), roles(experts, expertStage));
  const finetune = finetunePhase(experiment, shape);
  list.add(
    "finetune",
    { kind: "finetune", randomSeed: random("finetune"), phases: [finetune] },
    { data, model: "mix" },
  );
  const models = ["seed", ...[...experiment.domains.keys()].map(expertStage), "mix", "finetune"];
  models.push(...addBaselines(list, experiment, [...expertsPhase(experiment, shape), finetune], random));

  const domains = [...experiment.domains.keys()];
  const evaluate: StageSpec = { kind: "evaluate", domains, ...experiment.evaluate };
  for (const model of models) list.add(`evaluate:${model}`, evaluate, { data, model });
  if (experiment.compare.includes("btm")) {
    const parents = { data, ...roles(experts, (expert) => `evaluate:${expertStage(expert)}`) };
    const { k } = experiment.mix.router;
    for (const weights of ["tf-idf", "bayes"] as const)
      list.add(`btm:${weights}`, { kind: "btm", experts, domains, weights, k }, parents);
  }
  return list.stages;
}

/** Adds the baselines that are models of their own; gives their names. */
function addBaselines(
  list: StageList,
  experiment: Experiment,
  phases: Phase[],
  random: (stage: string) => number,
): string[] {
  const { experts } = experiment.mix;
  const models: string[] = [];
  if (experiment.compare.includes("average"))
    models.push(list.add("average", { kind: "average", experts }, roles(experts, expertStage)));
  if (experiment.compare.includes("dense"))
    models.push(
      list.add("dense", { kind: "dense", randomSeed: random("dense"), phases }, { data: "data", model: "seed" }),
    );
  if (experiment.compare.includes("upcycling")) {
    const copies = experts.map((_, i) => `copy${i + 1}`);
    const mix = list.add(
      "upcycling:mix",
      mixSpec(experiment, copies, random("upcycling:mix")),
      roles(copies, () => "seed"),
    );
    const spec: StageSpec = { kind: "upcycling", randomSeed: random("upcycling"), phases };
    models.push(list.add("upcycling", spec, { data: "data", model: mix }));
  }
  return models;
}

const mixSpec = (experiment: Experiment, experts: string[], randomSeed: number): StageSpec => ({
  kind: "mix",
  experts,
  layers: experiment.moeLayers,
  router: experiment.mix.router,
  randomSeed,
});

const finetunePhase = ({ finetune }: Experiment, shape: ModelShape): Phase =>
  trainingPhase(finetune.tokens, finetune.mixture, finetune.training, shape.context);

/**
 * What the mixed experts were trained on, as one phase: all their tokens, each domain in proportion to its expert's.
 * Data matching of BTX §4.1.2. Empty when only the seed is mixed.
 */
function expertsPhase(experiment: Experiment, shape: ModelShape): Phase[] {
  const mixture = Object.fromEntries(
    [...experiment.domains]
      .filter(([name]) => experiment.mix.experts.includes(name))
      .map(([name, domain]) => [name, domain.tokens]),
  );
  const tokens = Object.values(mixture).reduce((sum, count) => sum + count, 0);
  return tokens === 0 ? [] : [trainingPhase(tokens, mixture, experiment.experts.training, shape.context)];
}
