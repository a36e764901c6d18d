import type { ModelShape } from "../protocol/stage.ts";
import type { Path, Problem } from "./problem.ts";
import type { Experiment } from "./resolve.ts";
import { type TrainingKeys, trainingDefaults } from "./schema/training.ts";

/**
 * Sizes of the model and of batches that do not fit together.
 * @param loaded shape of the seed's checkpoint, if there is one and it was read.
 */
export function checkShape(experiment: Experiment, loaded?: ModelShape): Problem[] {
  return [...checkModel(experiment, loaded), ...checkBatches(experiment)];
}

function checkModel(experiment: Experiment, loaded?: ModelShape): Problem[] {
  const { positions, givenModel, moeLayers } = experiment;
  const problems: Problem[] = [];
  const add = (path: Path, message: string) =>
    problems.push({ ...positions.value(path), message, path, severity: "error" });
  /** Position of the first of these keys that the file gives. */
  const at = (...keys: string[]): Path => ["model", keys.find((key) => positions.has(["model", key])) ?? keys[0]!];

  const model = loaded ?? experiment.model;
  if (!("from" in experiment.seed)) {
    if (givenModel.headSize === undefined && model.hidden % model.heads !== 0)
      add(
        at("hidden", "heads"),
        `\`model.hidden\` is ${model.hidden}, which is not divisible by ${model.heads} heads: make it a multiple of \`model.heads\`, or give \`model.headSize\``,
      );
    else if (model.headSize % 2 !== 0 || model.headSize < 2)
      add(
        at("headSize", "hidden", "heads"),
        `a head is ${model.headSize} wide, but rotary embeddings need an even width: change \`model.headSize\`, or \`model.hidden\` / \`model.heads\``,
      );
    if (model.heads % model.kvHeads !== 0)
      add(
        at("kvHeads", "heads"),
        `\`model.kvHeads\` is ${model.kvHeads}, which does not divide the ${model.heads} heads of \`model.heads\``,
      );
  }
  if ("from" in experiment.seed && !loaded) return problems;
  for (const [i, layer] of (moeLayers ?? []).entries()) {
    if (layer >= model.layers)
      add(
        ["model", "moeLayers"],
        `\`model.moeLayers\` names layer ${layer}, but the model's layers are 0 to ${model.layers - 1}`,
      );
    else if (moeLayers!.indexOf(layer) < i)
      add(["model", "moeLayers"], `\`model.moeLayers\` names layer ${layer} twice`);
  }
  return [...problems, ...checkParts(experiment, model.ffn)];
}

/** Widths that feed-forward blocks of width `ffn` cannot be cut in evenly. Both ways at once are refused elsewhere. */
function checkParts({ mix, seed, positions }: Experiment, ffn: number): Problem[] {
  const { split, blend, experts } = mix;
  if (split !== undefined && blend) return [];
  const loaded = "from" in seed;
  const width = loaded ? `the width of the seed's feed-forward blocks, ${ffn}` : `\`model.ffn\`, ${ffn}`;
  if (split !== undefined && ffn % split !== 0) {
    const path: Path = ["mix", "split"];
    const valid = divisorsAround(ffn, split);
    const otherwise = loaded ? "remove it" : "change `model.ffn`";
    const remedy = valid.length > 0 ? `make it ${valid.join(" or ")}, or ${otherwise}` : otherwise;
    const message = `\`mix.split\` is ${split}, which does not divide ${width}: ${remedy}`;
    return [{ ...positions.value(path), message, path, severity: "error" }];
  }
  const models = experts.length;
  if (blend && ffn % models !== 0) {
    const path: Path = ["mix", "blend"];
    const remedy = loaded ? "mix another number of models" : `make \`model.ffn\` a multiple of ${models}`;
    const message = `\`mix.blend\` splits each feed-forward block into ${models} parts, one per model, which does not divide ${width}: ${remedy}`;
    return [{ ...positions.value(path), message, path, severity: "error" }];
  }
  return [];
}

/** The nearest divisors of `size` below and above `near`, at most 1000 away; never 1 or `size`. */
function divisorsAround(size: number, near: number): number[] {
  const divides = (parts: number) => parts > 1 && parts < size && size % parts === 0;
  const steps = Array.from({ length: 1000 }, (_, i) => i + 1);
  const below = steps.map((step) => near - step).find(divides);
  const above = steps.map((step) => near + step).find(divides);
  return [below, above].filter((parts) => parts !== undefined);
}

/** The trainings, with the sections that may hold their keys, nearest first. */
function places(experiment: Experiment): { keys: TrainingKeys; sections: Path[] }[] {
  const experts = [...experiment.domains].map(([name, { training }]) => ({
    keys: training,
    sections: [["domains", name], ["experts"], ["training"]],
  }));
  const seed =
    "from" in experiment.seed ? [] : [{ keys: experiment.seed.training, sections: [["seed"], ["training"]] }];
  return [...seed, ...experts, { keys: experiment.finetune.training, sections: [["finetune"], ["training"]] }];
}

function checkBatches(experiment: Experiment): Problem[] {
  const { positions } = experiment;
  const found = new Map<string, Problem>();
  for (const { keys, sections } of places(experiment)) {
    const batch = keys.batch ?? trainingDefaults.batch;
    const { microBatch } = keys;
    if (microBatch === undefined || batch % microBatch === 0) continue;
    const paths = sections.flatMap((section) => [
      [...section, "microBatch"],
      [...section, "batch"],
    ]);
    const path = paths.find((candidate) => positions.has(candidate)) ?? [];
    const message = `\`microBatch\` is ${microBatch}, which does not divide a \`batch\` of ${batch}: make it a divisor of \`batch\``;
    const id = JSON.stringify(path);
    if (!found.has(id)) found.set(id, { ...positions.value(path), message, path, severity: "error" });
  }
  return [...found.values()];
}
