import type { Phase, Plan, StageSpec } from "../protocol/stage.ts";
import { addBaselines, addEnsembles } from "./baselines.ts";
import { planInputs } from "./inputs.ts";
import { stageRandomSeed } from "./keys.ts";
import { trainingPhase } from "./phases.ts";
import type { Experiment } from "./resolve.ts";
import { expertRoles, expertStage, StageList } from "./stageList.ts";

/**
 * The stages of an experiment, each after its parents: data, seed, an expert a domain, mix, finetune, the baselines of
 * `compare` and the evaluations. The evaluation of a model is named "evaluate:" and the stage that made the model.
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
  // A seed that is taken as it is draws nothing: it is one and the same whatever the random seed.
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
