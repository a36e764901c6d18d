import type { MixSpec, PlannedStage, StageRecord, StageSpec } from "../../../server/protocol/stage.ts";

/** Plain records for tests. */

export const mixSpec: MixSpec = {
  kind: "mix",
  experts: ["a", "b"],
  router: { type: "top-k", k: 2, loadBalance: 0.01 },
  randomSeed: 1,
};

export const evaluateSpec: StageSpec = { kind: "evaluate", domains: ["a", "b"], tokens: 100, batch: 2, answers: 4 };

export function planned(name: string, key: string, spec: StageSpec = evaluateSpec): PlannedStage {
  return { name, key: key.padStart(16, "0"), spec, parents: {} };
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
