import type { MixSpec, PlannedStage, StageRecord, StageSpec } from "../../../server/protocol/stage.ts";

/** Plain records for tests. */

export const mixSpec: MixSpec = {
  kind: "mix",
  experts: ["a", "b"],
  router: { type: "top-k", k: 2, loadBalance: 0.01 },
  randomSeed: 1,
};

export const evaluateSpec: StageSpec = { kind: "evaluate", domains: ["a", "b"], tokens: 100, batch: 2, answers: 4 };

const btmSpec: StageSpec = { kind: "btm", experts: ["a"], domains: ["a", "b"], weights: "tf-idf", k: 1 };

/** A stage that evaluates the model after "evaluate:" in its name, or what its spec says. */
export function planned(name: string, key: string, spec?: StageSpec): PlannedStage {
  const model = /^evaluate:(.*)$/.exec(name)?.[1];
  return {
    name,
    key: key.padStart(16, "0"),
    spec: spec ?? (name.startsWith("btm:") ? btmSpec : evaluateSpec),
    parents: model === undefined ? {} : { model },
  };
}

export function record(stage: PlannedStage, fields: Partial<StageRecord> = {}): StageRecord {
  return {
    version: 1,
    kind: stage.spec.kind,
    name: stage.name,
    key: stage.key,
    parents: {},
    spec: stage.spec,
    status: "done",
    engine: "onnx",
    device: "cpu",
    threads: 1,
    created: "2026-07-31T14:22:33.000Z",
    seconds: 2,
    versions: {},
    ...fields,
  };
}
