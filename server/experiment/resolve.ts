import { basename } from "node:path";
import { defined } from "../protocol/defined.ts";
import type { Compute } from "../protocol/devices.ts";
import type { Mixture } from "../protocol/model.ts";
import {
  type Freeze,
  type FreezeItem,
  type MixSpec,
  type ModelShape,
  parameterGroupSchema,
} from "../protocol/stage.ts";
import type { Positions } from "./problem.ts";
import { defaultFfn, modelDefaults } from "./schema/model.ts";
import { type RouterKeys, routerConfig, routerDefaults } from "./schema/router.ts";
import { type Baseline, expertPrefix, stageDefaults } from "./schema/stages.ts";
import { type TrainingKeys, trainingKeyNames } from "./schema/training.ts";
import type { ExperimentFile } from "./schema.ts";

/** A domain's text, and how its expert is trained. */
export interface Domain {
  /** Paths, folders and globs as written, relative to the experiment file. */
  files: string[];
  text?: string | undefined;
  answerAfter?: string | undefined;
  /** Tokens its expert is trained on. */
  tokens: number;
  /** Training keys of its expert: the domain's over those of `experts` over those of `training`. */
  training: TrainingKeys;
}

/** Training of the seed or of the mixed model; keys that its section lacks are those of `training`. */
export interface StageTraining {
  tokens: number;
  training: TrainingKeys;
  /** Weight of each domain. */
  mixture: Record<string, number>;
}

/** How models are mixed; an absent key means the same as in `MixSpec`. */
export interface Mixing extends Pick<MixSpec, "router" | "split" | "blend" | "routerInit"> {
  experts: string[];
  /** The router's keys as the file gives them. */
  givenRouter: RouterKeys;
}

/** Number of experts of the mixed model: a model's feed-forward block is one, or `split` of them. */
export const expertCount = ({ experts, split }: Pick<Mixing, "experts" | "split">): number =>
  experts.length * (split ?? 1);

/** How its models become one. */
export const mixtureOf = ({ mix, moeLayers }: Pick<Experiment, "mix" | "moeLayers">): Mixture => ({
  ...mix,
  layers: moeLayers,
});

export type TokenizerChoice = { type: "bytes" } | { type: "bpe"; vocab: number } | { type: "file"; path: string };

/**
 * A valid experiment file with its defaults filled in. What depends on other files (a seed's checkpoint, texts) is read
 * by `inputs.ts`.
 */
export interface Experiment {
  name: string;
  /** Shape of a seed that is trained here. */
  model: ModelShape;
  /** The sizes that the file gives; a loaded seed must agree with them. */
  givenModel: Partial<ModelShape>;
  /** Layers that become a Mixture-of-Experts, ascending; undefined: all. */
  moeLayers?: number[] | undefined;
  /** Undefined: the tokenizer in the folder `seed.from`. */
  tokenizer?: TokenizerChoice | undefined;
  domains: Map<string, Domain>;
  /** A checkpoint's folder as written, or training from random weights. */
  seed: { from: string } | StageTraining;
  experts: { tokens: number; training: TrainingKeys };
  mix: Mixing;
  /** `freeze` applies to the mixed model, not to baselines that are trained like it. */
  finetune: StageTraining & {
    freeze?: Freeze;
    /** Its items as they stand in the file. */
    frozenItems: FreezeItem[];
  };
  evaluate: { tokens: number; batch: number; answers: number };
  compare: Baseline[];
  heldOut: number;
  randomSeed: number;
  /** Engine and devices; no stage's key depends on them. */
  compute: Compute;
  /** Where keys and values are in the file. */
  positions: Positions;
}

/** The training keys among a section's keys. */
function trainingKeysOf(section: TrainingKeys): TrainingKeys {
  return Object.fromEntries(
    trainingKeyNames.filter((name) => section[name] !== undefined).map((name) => [name, section[name]]),
  );
}

/** The model shape for the sizes in a file. */
export function modelShape(sizes: Partial<ModelShape>): ModelShape {
  const { hidden, heads } = { ...modelDefaults, ...sizes };
  return {
    ...modelDefaults,
    kvHeads: heads,
    headSize: Math.floor(hidden / heads),
    ffn: defaultFfn(hidden),
    ...sizes,
  };
}

/** Fills the defaults that depend on other keys. */
export function resolveExperiment(file: ExperimentFile, positions: Positions, path: string): Experiment {
  const names = Object.keys(file.domains);
  const everyDomain = Object.fromEntries(names.map((name) => [name, 1]));
  const { moeLayers, ...sizes } = file.model;
  const givenModel = defined(sizes);
  const expertTraining = { ...trainingKeysOf(file.training), ...trainingKeysOf(file.experts) };
  const expertTokens = file.experts.tokens ?? stageDefaults.expertTokens;
  const stage = (
    section: TrainingKeys & { mixture?: Record<string, number> | undefined },
    tokens: number,
  ): StageTraining => ({
    tokens,
    training: { ...trainingKeysOf(file.training), ...trainingKeysOf(section) },
    mixture: section.mixture ?? everyDomain,
  });
  return {
    name: file.name?.trim() ?? basename(path).replace(/(\.btx)?\.ya?ml$/, ""),
    model: modelShape(givenModel),
    givenModel,
    moeLayers: moeLayers?.toSorted((a, b) => a - b),
    tokenizer: tokenizer(file),
    domains: new Map(
      Object.entries(file.domains).map(([name, domain]) => [
        name,
        {
          files: typeof domain.files === "string" ? [domain.files] : domain.files,
          text: domain.text,
          answerAfter: domain.answerAfter,
          tokens: domain.tokens ?? expertTokens,
          training: { ...expertTraining, ...trainingKeysOf(domain) },
        },
      ]),
    ),
    seed:
      file.seed.from === undefined
        ? stage(file.seed, file.seed.tokens ?? stageDefaults.seedTokens)
        : { from: file.seed.from },
    experts: { tokens: expertTokens, training: expertTraining },
    mix: mixing(file.mix, names),
    finetune: {
      ...stage(file.finetune, file.finetune.tokens ?? stageDefaults.finetuneTokens),
      ...frozen(file.finetune.freeze),
    },
    evaluate: { ...file.evaluate, tokens: file.evaluate.tokens ?? stageDefaults.evaluateTokens },
    compare: [...new Set(file.compare)],
    heldOut: file.heldOut,
    randomSeed: file.randomSeed,
    compute: { engine: file.engine, ...(file.devices ? { devices: file.devices } : {}) },
    positions,
  };
}

function mixing(section: ExperimentFile["mix"], domains: string[]): Mixing {
  const { experts = [...domains, "seed"], split, blend, router: givenRouter } = section;
  const { init, initTokens } = { ...routerDefaults, ...defined(givenRouter) };
  return {
    experts,
    router: routerConfig(givenRouter, expertCount({ experts, split }), split ?? 1),
    givenRouter,
    ...(split === undefined ? {} : { split }),
    ...(blend ? { blend } : {}),
    ...(init === "random" ? {} : { routerInit: { from: init, tokens: initTokens } }),
  };
}

/**
 * What is not trained; absent: nothing. Each item once, in a fixed order, so that the order in the file has no effect.
 */
function frozen(given: ExperimentFile["finetune"]["freeze"]): { freeze?: Freeze; frozenItems: FreezeItem[] } {
  if (!Array.isArray(given)) {
    const frozenItems = given["all-but"];
    return { freeze: { allBut: ordered(frozenItems) }, frozenItems };
  }
  return { ...(given.length > 0 ? { freeze: ordered(given) } : {}), frozenItems: given };
}

function ordered(items: readonly FreezeItem[]): FreezeItem[] {
  const groups = parameterGroupSchema.options.filter((group) => items.includes(group));
  const experts = items.filter((item) => item.startsWith(expertPrefix));
  return [...groups, ...new Set(experts.toSorted())];
}

function tokenizer(file: ExperimentFile): TokenizerChoice | undefined {
  const { type, vocab, path } = file.tokenizer;
  if (type === "bytes") return { type };
  if (type === "file" || (type === undefined && path !== undefined)) return { type: "file", path: path ?? "" };
  if (type === undefined && vocab === undefined && file.seed.from !== undefined) return undefined;
  return { type: "bpe", vocab: vocab ?? 1024 };
}
