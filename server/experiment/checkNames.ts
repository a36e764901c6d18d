import { didYouMean, nearestName } from "../data/nearestName.ts";
import { noEffect, type Path, type Problem } from "./problem.ts";
import type { Experiment } from "./resolve.ts";
import { trainingKeyNames } from "./schema/training.ts";

/** Names that are unknown, repeated or never used, and keys without effect. */
export function checkNames(experiment: Experiment): Problem[] {
  const domains = [...experiment.domains.keys()];
  return [
    ...checkExperts(experiment, domains),
    ...checkMixture(experiment, "seed", domains),
    ...checkMixture(experiment, "finetune", domains),
    ...checkUnused(experiment, domains),
    ...checkSeedKeys(experiment),
    ...checkTokenizerKeys(experiment),
  ];
}

function checkExperts({ mix, positions }: Experiment, domains: string[]): Problem[] {
  const problems: Problem[] = [];
  const valid = [...domains, "seed"];
  const expected = `one of ${valid.map((name) => `\`${name}\``).join(", ")}`;
  for (const [i, name] of mix.experts.entries()) {
    const path = ["mix", "experts", i];
    const add = (message: string, suggestion?: string) =>
      problems.push({ ...positions.value(path), message, path, expected, suggestion, severity: "error" });
    if (!valid.includes(name)) {
      const suggestion = nearestName(name, valid);
      add(
        `\`mix.experts\` names \`${name}\`, which is not a domain${didYouMean(suggestion) || `: it must be ${expected}`}`,
        suggestion,
      );
    } else if (mix.experts.indexOf(name) < i) add(`\`mix.experts\` names \`${name}\` twice`);
  }
  return problems;
}

function checkMixture({ seed, finetune, positions }: Experiment, stage: "seed" | "finetune", domains: string[]) {
  const section = stage === "seed" ? seed : finetune;
  if ("from" in section) return [];
  return Object.keys(section.mixture)
    .filter((name) => !domains.includes(name))
    .map((name): Problem => {
      const path: Path = [stage, "mixture", name];
      const suggestion = nearestName(name, domains);
      const hint = didYouMean(suggestion) || `: the domains are ${domains.map((domain) => `\`${domain}\``).join(", ")}`;
      const message = `\`${stage}.mixture\` names \`${name}\`, which is not a domain${hint}`;
      return { ...positions.key(path), message, path, suggestion, severity: "error" };
    });
}

function checkUnused({ mix, seed, finetune, positions }: Experiment, domains: string[]): Problem[] {
  const inSeed = "from" in seed ? [] : Object.keys(seed.mixture);
  const used = new Set([...mix.experts, ...inSeed, ...Object.keys(finetune.mixture)]);
  return domains
    .filter((name) => !used.has(name))
    .map((name): Problem => {
      const path: Path = ["domains", name];
      const message = `the domain \`${name}\` is used only by its own expert: add it to \`mix.experts\` or to a mixture, or remove it`;
      return { ...positions.key(path), message, path, severity: "warning" };
    });
}

/** Training keys of a seed that is loaded. */
function checkSeedKeys({ seed, positions }: Experiment): Problem[] {
  if (!("from" in seed)) return [];
  const tokens: Path = ["seed", "tokens"];
  if (positions.has(tokens)) {
    const message = "`seed` has both `tokens` and `from`, but a seed is either trained or loaded: remove one of them";
    return [{ ...positions.key(tokens), message, path: tokens, severity: "error" }];
  }
  return ["mixture", ...trainingKeyNames].flatMap((key) =>
    noEffect(positions, ["seed", key], "with `seed.from`, because a loaded seed is not trained"),
  );
}

function checkTokenizerKeys({ tokenizer, positions }: Experiment): Problem[] {
  const vocab = "because the tokenizer is not of type `bpe`";
  const path = "because the tokenizer is not of type `file`";
  return [
    ...(tokenizer?.type === "bpe" ? [] : noEffect(positions, ["tokenizer", "vocab"], vocab)),
    ...(tokenizer?.type === "file" ? [] : noEffect(positions, ["tokenizer", "path"], path)),
  ];
}
