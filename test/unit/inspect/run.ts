import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { saveCheckpoint } from "../../../server/checkpoint/saveCheckpoint.ts";
import { cpuEngine } from "../../../server/engine/onnx/engine.ts";
import type { Watch } from "../../../server/inspect/heldOut.ts";
import { WarmModel } from "../../../server/inspect/warmModels.ts";
import { expertNames, routerBiasName, routerName } from "../../../server/parameters/names.ts";
import type { StageReference } from "../../../server/protocol/editor/basics.ts";
import type { InspectionProgress } from "../../../server/protocol/inspect.ts";
import type { ModelConfig, MoeConfig } from "../../../server/protocol/model.ts";
import type { RunRecord } from "../../../server/protocol/run.ts";
import type { EvaluateSpec, MixSpec, PlannedStage, StageSpec } from "../../../server/protocol/stage.ts";
import { findModel } from "../../../server/runs/findModel.ts";
import { runPaths, stagePaths } from "../../../server/runs/layout.ts";
import type { Parameters } from "../../../server/stages/model.ts";
import {
  documentsOf,
  randomModel,
  stageWithData,
  temporaryFolder,
  tiny,
  tokenizerFolder,
  training,
} from "../stages/support.ts";

/** A run folder with tiny models that were not trained: what the inspector reads of a run. */

export const experts = ["letters", "digits", "seed"];

export const mixed = (moe: Partial<MoeConfig> = {}): ModelConfig => ({
  ...tiny,
  moe: { experts, layers: [0, 1], router: { type: "top-k", k: 2, loadBalance: 0 }, ...moe },
});

export interface InspectedRun {
  root: string;
  run: string;
  data: string;
  evaluate: EvaluateSpec;
  parameters: Map<string, Parameters>;
  reference(stage: string): StageReference;
  warm(stage: string): Promise<WarmModel>;
}

export interface RunOptions {
  /** Of "mix" and "finetune". */
  config?: ModelConfig;
  mix?: Partial<MixSpec>;
  /** Models in place of random ones. */
  models?: Record<string, Parameters>;
  evaluate?: Partial<EvaluateSpec>;
  /** Merges of the tokenizer, which else has bytes. */
  merges?: [string, string][];
}

const key = (index: number): string => (index + 1).toString(16).padStart(16, "0");

export async function inspectedRun(options: RunOptions = {}): Promise<InspectedRun> {
  const { config = mixed(), merges = [] } = options;
  const root = join(temporaryFolder(), ".btx");
  const run = "20260304-123000";
  const tokenizer = tokenizerFolder(merges);
  const data = await stageWithData(
    {
      letters: { documents: documentsOf("abc ", 12, 30) },
      digits: { documents: documentsOf("123 ", 12, 24) },
    },
    merges.length > 0 ? tokenizer : undefined,
  );
  const evaluate: EvaluateSpec = {
    kind: "evaluate",
    domains: ["letters", "digits"],
    tokens: 10_000,
    batch: 3,
    answers: 0,
    ...options.evaluate,
  };
  const { vocab, moe, ...shape } = config;
  const phases = [{ tokens: 64, mixture: { letters: 1 }, training }];
  const stages: PlannedStage[] = [];
  const add = (name: string, spec: StageSpec, parents: Record<string, string> = {}): void => {
    stages.push({ name, key: key(stages.length), spec, parents });
  };
  add("data", { kind: "data", tokenizer: { type: "bytes" }, domains: {}, heldOut: 0.5 });
  add("seed", { kind: "seed", model: shape, randomSeed: 1, phases }, { data: "data" });
  for (const name of ["letters", "digits"])
    add(`expert:${name}`, { kind: "expert", randomSeed: 1, phases }, { data: "data", model: "seed" });
  const parents = { "expert:letters": "expert:letters", "expert:digits": "expert:digits", "expert:seed": "seed" };
  add("mix", { kind: "mix", experts, router: moe!.router, randomSeed: 1, ...options.mix }, parents);
  add("finetune", { kind: "finetune", randomSeed: 1, phases }, { data: "data", model: "mix" });
  add("evaluate:finetune", evaluate, { data: "data", model: "finetune" });

  const record: RunRecord = {
    version: 1,
    id: run,
    name: "tiny",
    file: join(root, "..", "tiny.btx.yaml"),
    experiment: "",
    stages,
    reused: [],
    status: "done",
    created: "2026-03-04T12:30:00.000Z",
  };
  mkdirSync(runPaths(root, run).folder, { recursive: true });
  writeFileSync(runPaths(root, run).record, JSON.stringify(record));
  cpSync(data, stagePaths(root, key(0)).folder, { recursive: true });
  const parameters = new Map<string, Parameters>();
  for (const [index, { name, spec }] of stages.entries()) {
    if (spec.kind === "data" || spec.kind === "evaluate") continue;
    const own: ModelConfig = name === "mix" || name === "finetune" ? config : { ...tiny };
    const values = options.models?.[name] ?? randomModel(own, index);
    parameters.set(name, values);
    const paths = stagePaths(root, key(index));
    mkdirSync(paths.folder, { recursive: true });
    const tensors = values as Map<string, { shape: number[]; data: Float32Array<ArrayBuffer> }>;
    await saveCheckpoint(paths.checkpoint, { config: own, tensors, endOfText: 256, tokenizerFolder: tokenizer });
  }
  const reference = (stage: string): StageReference => ({ root, run, stage });
  return {
    root,
    run,
    data,
    evaluate,
    parameters,
    reference,
    warm: async (stage) => WarmModel.open(await findModel(reference(stage)), cpuEngine(1)),
  };
}

/** A signal that nobody aborts. */
export const unending = (): AbortSignal => new AbortController().signal;

/** Parameters of a model whose expert of that index was never there, in all layers or in these. */
export function neverThere(
  { moe }: ModelConfig,
  parameters: Parameters,
  gone: number,
  layers = moe!.layers,
): Parameters {
  const rest: Parameters = new Map(parameters);
  const count = moe!.experts.length;
  for (const layer of layers) {
    for (const name of [routerName(layer), routerBiasName(layer)]) {
      const tensor = parameters.get(name);
      if (!tensor) continue;
      const width = tensor.data.length / count;
      const data = tensor.data.filter((_, i) => Math.floor(i / width) !== gone);
      rest.set(name, { shape: [count - 1, ...tensor.shape.slice(1)], data });
    }
    for (let expert = gone; expert < count - 1; expert++) {
      const [to, from] = [expertNames(layer, expert), expertNames(layer, expert + 1)];
      for (const part of ["gate", "up", "down"] as const)
        rest.set(`${to[part]}.weight`, parameters.get(`${from[part]}.weight`)!);
    }
    for (const part of Object.values(expertNames(layer, count - 1))) rest.delete(`${part}.weight`);
  }
  return rest;
}

/** Watches work on held-out text and notes what is told. */
export function watch(signal = unending()): Watch & { told: InspectionProgress[] } {
  const told: InspectionProgress[] = [];
  return { signal, progress: (progress) => told.push(progress), told };
}
