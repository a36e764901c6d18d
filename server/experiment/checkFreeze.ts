import { didYouMean, nearestName } from "../data/nearestName.ts";
import { trainedShapes } from "../model/parameters.ts";
import { type ModelConfig, mixedConfig, mixedExperts } from "../protocol/model.ts";
import type { FreezeItem, ModelShape } from "../protocol/stage.ts";
import { noEffect, type Path, type Problem } from "./problem.ts";
import { type Experiment, mixtureOf } from "./resolve.ts";
import { expertPrefix } from "./schema/stages.ts";

/**
 * What `finetune.freeze` names that the mixed model does not have, and a `freeze` that leaves nothing to train.
 * @param shape shape of the models that are mixed
 */
export function checkFreeze(experiment: Experiment, shape: ModelShape): Problem[] {
  const { positions, finetune } = experiment;
  const { freeze, frozenItems } = finetune;
  if (!freeze) return [];
  const config = groupsOnly(experiment, shape);
  const all = trainedShapes(config).size;
  const path: Path = ["finetune", "freeze"];
  const list: Path = Array.isArray(freeze) ? path : [...path, "all-but"];
  const problems = frozenItems.flatMap((item, i): Problem[] => {
    const at = [...list, i];
    if (item.startsWith(expertPrefix)) return checkExpert(experiment, at, item);
    if (trainedShapes(config, [item]).size < all) return [];
    return noEffect(positions, at, `because the mixed model has no parameters in the group \`${item}\``);
  });
  if (problems.some(({ severity }) => severity === "error") || trainedShapes(config, freeze).size > 0) return problems;
  const message = "`finetune.freeze` freezes all parameters, so finetuning has nothing to train: leave out a group";
  return [...problems, { ...positions.value(path), message, path, severity: "error" }];
}

/**
 * A mixed model with the same groups of parameters and the same experts as the experiment's, and few and small layers.
 */
function groupsOnly(experiment: Experiment, shape: ModelShape): ModelConfig {
  const mixture = mixtureOf(experiment);
  const everywhere = !mixture.layers || new Set(mixture.layers).size >= shape.layers;
  const ffn = mixture.split ?? 1;
  const small = { layers: everywhere ? 1 : 2, hidden: 2, heads: 1, kvHeads: 1, headSize: 2, ffn };
  return mixedConfig({ ...shape, ...small, vocab: 1 }, { ...mixture, layers: [0] });
}

function checkExpert({ mix, positions }: Experiment, path: Path, item: FreezeItem): Problem[] {
  const name = item.slice(expertPrefix.length);
  // A model that is split is all of its parts.
  const valid = [...new Set([...(mix.blend ? [] : mix.experts), ...mixedExperts(mix)])];
  if (valid.includes(name)) return [];
  const suggestion = nearestName(name, valid);
  const expected = `one of ${valid.map((expert) => `\`${expert}\``).join(", ")}`;
  const hint = didYouMean(suggestion) || `: it must be ${expected}`;
  const message = `\`finetune.freeze\` names \`${name}\`, which is not an expert of the mixed model${hint}`;
  const fix = suggestion === undefined ? {} : { suggestion: `${expertPrefix}${suggestion}` };
  return [{ ...positions.value(path), message, path, expected, ...fix, severity: "error" }];
}
