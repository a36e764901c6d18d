import type { PlannedStage, StageKind, StageSpec } from "./stage.ts";

/**
 * Properties of each kind of stage, and the names of stages and their models. A stage's name in a plan begins with its
 * kind ("expert:code", "evaluate:expert:code", "btm:bayes:2"); a model is named after the stage that makes it, except
 * for the finetuned mixture, which results call "btx".
 */

export interface StageKindFacts {
  /** Its output: a checkpoint, an ensemble of other stages' models, or neither. */
  makes: "model" | "ensemble" | "nothing";
  /** Whether it has phases of training and writes `metrics.jsonl`. */
  trains: boolean;
  /** Whether its model is a Mixture-of-Experts. */
  hasExperts: boolean;
  /** Section of the experiment file that requests it. */
  section: "domains" | "seed" | "experts" | "mix" | "finetune" | "compare" | "evaluate";
  /** Whether its model is a baseline: BTX is compared with it but not made from it. */
  baseline: boolean;
  /** Colour of its lines and rows: its own, the next of six, or that of the model it is about. */
  color: "seed" | "mix" | "next" | "model";
  /** Display name of its model. */
  label: string;
  /** Labels of stages of this kind that have their own names. */
  variants?: Readonly<Record<string, string>>;
  /** Name of its model in results, if it differs from the stage's name. */
  resultName?: string;
}

/** In the order in which stages and models are shown. */
export const stageKinds = {
  data: {
    makes: "nothing",
    trains: false,
    hasExperts: false,
    section: "domains",
    baseline: false,
    color: "model",
    label: "Data",
  },
  seed: {
    makes: "model",
    trains: true,
    hasExperts: false,
    section: "seed",
    baseline: false,
    color: "seed",
    label: "Seed",
  },
  expert: {
    makes: "model",
    trains: true,
    hasExperts: false,
    section: "experts",
    baseline: false,
    color: "next",
    label: "Expert",
  },
  average: {
    makes: "model",
    trains: false,
    hasExperts: false,
    section: "compare",
    baseline: false,
    color: "model",
    label: "Average of weights",
  },
  mix: {
    makes: "model",
    trains: false,
    hasExperts: true,
    section: "mix",
    baseline: false,
    color: "model",
    label: "Mix, not finetuned",
  },
  finetune: {
    makes: "model",
    trains: true,
    hasExperts: true,
    section: "finetune",
    baseline: false,
    color: "mix",
    label: "BTX",
    resultName: "btx",
  },
  dense: {
    makes: "model",
    trains: true,
    hasExperts: false,
    section: "compare",
    baseline: true,
    color: "next",
    label: "Dense",
  },
  btm: {
    makes: "ensemble",
    trains: false,
    hasExperts: false,
    section: "compare",
    baseline: true,
    color: "model",
    label: "BTM",
  },
  upcycling: {
    makes: "model",
    trains: true,
    hasExperts: true,
    section: "compare",
    baseline: true,
    color: "next",
    label: "Sparse upcycling",
    variants: { "upcycling-compute": "Sparse upcycling, equal compute" },
  },
  evaluate: {
    makes: "nothing",
    trains: false,
    hasExperts: false,
    section: "evaluate",
    baseline: false,
    color: "model",
    label: "Evaluation",
  },
} as const satisfies Record<StageKind, StageKindFacts>;

/** Kinds of stages that make a model or an ensemble. */
export type ModelKind = {
  [Kind in StageKind]: (typeof stageKinds)[Kind]["makes"] extends "nothing" ? never : Kind;
}[StageKind];

const kinds = Object.entries(stageKinds) as [StageKind, StageKindFacts][];

/** Properties of a kind; undefined for an unknown kind, such as one of a newer version. */
export const factsOf = (kind: string): StageKindFacts | undefined =>
  Object.hasOwn(stageKinds, kind) ? stageKinds[kind as StageKind] : undefined;

/** Kinds whose models have experts, starting with the kinds that train them. */
export const mixedKinds: readonly StageKind[] = kinds
  .filter(([, { hasExperts }]) => hasExperts)
  .sort(([, a], [, b]) => Number(b.trains) - Number(a.trains))
  .map(([kind]) => kind);

/** The prefixes of stage and model names, in display order, and their kinds. */
const kindOfBeginning = new Map(
  kinds.flatMap(([kind, { variants = {} }]) => [kind, ...Object.keys(variants)].map((name) => [name, kind] as const)),
);
const beginnings = [...kindOfBeginning.keys()];
const stageOfResult = new Map(kinds.flatMap(([kind, { resultName }]) => (resultName ? [[resultName, kind]] : [])));

/** Name of the stage that made a model, from the model's name in results: "finetune" of "btx". */
export const stageOfModel = (model: string): string => stageOfResult.get(model) ?? model;

/** Name of a stage's model in results: "btx" of "finetune". */
export const modelOfStage = (stage: string): string => factsOf(stage)?.resultName ?? stage;

/** The main model of a run, by its name in results. */
export const ownModel = modelOfStage("finetune");

/** "expert" of "expert:code". */
const beginningOf = (name: string): string => stageOfModel(name).split(":", 1)[0] ?? "";

/** The kind of a stage or model, by its name; undefined for unknown names. */
export const kindOfName = (name: string): StageKind | undefined => kindOfBeginning.get(beginningOf(name));

/** The section of the experiment file that defines a stage, by the stage's name; undefined for unknown names. */
export function sectionOf(name: string): StageKindFacts["section"] | undefined {
  const kind = kindOfName(name);
  return kind && stageKinds[kind].section;
}

/** Whether a model is a baseline, which BTX is compared with but not made from; true for unknown names. */
export function isBaseline(model: string): boolean {
  const kind = kindOfName(model);
  return kind === undefined || stageKinds[kind].baseline;
}

/**
 * `models` in the order in which they are listed: seed, experts, average, mix, BTX, the baselines, then unknown names.
 */
export function modelOrder(models: Iterable<string>): string[] {
  const rank = (name: string): number => {
    const place = beginnings.indexOf(beginningOf(name));
    return place < 0 ? beginnings.length : place;
  };
  return [...models].sort((a, b) => rank(a) - rank(b));
}

/** How the experts of a Branch-Train-Merge ensemble are weighted. */
const weightings = new Map([
  ["tf-idf", "tf-idf"],
  ["bayes", "Bayes"],
]);

/**
 * A model's display name: "BTX" for "finetune" and "btx", "Expert code" for "expert:code", "BTM, Bayes, top-2" for
 * "btm:bayes:2" (without k in runs with a single k). Unknown names are returned unchanged.
 */
export function modelLabel(model: string): string {
  const name = stageOfModel(model);
  if (name.startsWith("expert:")) return `${stageKinds.expert.label} ${name.slice("expert:".length)}`;
  const [first = "", weights = "", k, ...rest] = name.split(":");
  if (first === "btm") {
    const weighting = rest.length === 0 ? weightings.get(weights) : undefined;
    if (weighting === undefined) return model;
    return [stageKinds.btm.label, weighting, ...(k === undefined ? [] : [`top-${k}`])].join(", ");
  }
  const facts: StageKindFacts | undefined = factsOf(kindOfName(name) ?? "");
  if (facts?.makes !== "model" || first === "expert" || name !== first) return model;
  return facts.variants?.[name] ?? facts.label;
}

/** Tokens that a stage trains on; 0 for stages that do not train. */
export const trainingTokens = (spec: StageSpec): number =>
  "phases" in spec ? spec.phases.reduce((sum, { tokens }) => sum + tokens, 0) : 0;

/** The stages of a plan that make models with a checkpoint. */
export const modelStages = <Stage extends PlannedStage>(plan: readonly Stage[]): Stage[] =>
  plan.filter(({ spec }) => stageKinds[spec.kind].makes === "model");

/**
 * Name of the stage whose model or ensemble this stage measures: for an evaluation its model, for an ensemble itself;
 * else undefined.
 */
export function measuredStage({ name, spec, parents }: PlannedStage): string | undefined {
  if (stageKinds[spec.kind].makes === "ensemble") return name;
  return spec.kind === "evaluate" ? parents.model : undefined;
}

/** The stage of a plan that evaluates the model of the stage `name`; undefined if the plan has no such stage. */
export const evaluationOf = <Stage extends PlannedStage>(name: string, plan: readonly Stage[]): Stage | undefined =>
  plan.find((stage) => stage.spec.kind === "evaluate" && stage.parents.model === name);

/** Name of the stage that makes this expert: a domain's expert, or the seed. */
export const expertStage = (expert: string): string => (expert === "seed" ? "seed" : `expert:${expert}`);
