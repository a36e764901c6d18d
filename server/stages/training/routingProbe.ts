import type { Data } from "../../data/dataset.ts";
import type { GrownFile } from "../../disk/append.ts";
import { writeJson } from "../../disk/atomic.ts";
import type { Engine, Runnable } from "../../engine/engine.ts";
import type { Store } from "../../engine/store.ts";
import { evaluationBatches } from "../../evaluation/evaluationBatches.ts";
import { inspection, inspectionBatch, maskSpec } from "../../model/inspection.ts";
import { parameterShapes } from "../../model/parameters.ts";
import type { Values } from "../../ops/program.ts";
import type { ModelConfig, MoeConfig } from "../../protocol/model.ts";
import { routingProbeDetailIndexSchema, routingProbeIndexSchema } from "../../protocol/routingFiles.ts";
import { reportedChoices } from "../../routing/choices.ts";
import {
  choicesRecord,
  detailRecord,
  maxProbes,
  type ProbeIndexes,
  ProbeRecords,
  probeIndexes,
} from "../../routing/probeRecords.ts";
import { probeDetailLayout, probeLayout } from "../../routing/records.ts";
import { type RoutedWindow, routedWindows } from "../../routing/routedWindows.ts";
import type { StagePaths } from "../../runs/layout.ts";
import { readJson } from "../../runs/read.ts";
import type { TrainingObserver } from "./observer.ts";
import type { StepResult } from "./stepResult.ts";

/** Largest share of training's work for probes. A probe's token costs a third of a step's: it has no backward pass. */
const maxShare = 0.01;

export interface ProbeJob {
  paths: StagePaths;
  config: ModelConfig;
  data: Pick<Data, "split">;
  domains: string[];
  /** Optimizer steps of the training, and fewest tokens of a step. */
  steps: number;
  tokensPerStep: number;
  engine: Engine;
}

/**
 * Records which experts the same held-out tokens choose, one window per domain, before training and every few steps.
 * This shows how early routing settles on its final choices. Also measures how strongly the choice depends on the token
 * and how confident the routers are. Does not affect training.
 */
export class RoutingProbe implements TrainingObserver {
  readonly #job: ProbeJob;
  readonly #indexes: ProbeIndexes;
  readonly #choices: ProbeRecords;
  readonly #detail: ProbeRecords | undefined;
  #program: Runnable | undefined;

  private constructor(job: ProbeJob, indexes: ProbeIndexes) {
    const { paths, steps } = job;
    const { choices, detail } = indexes;
    this.#job = job;
    this.#indexes = indexes;
    this.#choices = new ProbeRecords(paths.routingProbe, probeLayout(choices).size, { every: choices.every, steps });
    if (detail)
      this.#detail = new ProbeRecords(paths.routingProbeDetail, probeDetailLayout(detail).size, {
        every: detail.every,
        steps,
      });
  }

  /** Undefined for a dense model. A resumed stage continues its existing files. */
  static async open(job: ProbeJob, begun: boolean): Promise<RoutingProbe | undefined> {
    const { paths, config } = job;
    if (!config.moe) return undefined;
    if (begun) {
      const choices = await readJson(paths.routingProbeIndex, routingProbeIndexSchema);
      const detail = await readJson(paths.routingProbeDetailIndex, routingProbeDetailIndexSchema);
      return choices && new RoutingProbe(job, { choices, detail });
    }
    const indexes = newIndexes(job, config.moe);
    await writeJson(paths.routingProbeIndex, indexes.choices);
    await writeJson(paths.routingProbeDetailIndex, indexes.detail);
    return new RoutingProbe(job, indexes);
  }

  /** Returns to the state after `step` steps. */
  restore(step: number): void {
    for (const records of this.#files()) records.restore(step);
  }

  /** Called after step `step` (0 before the first): probes if a record is due. */
  async after(step: number, _: StepResult | undefined, store: Store): Promise<void> {
    if (!this.#files().some((records) => records.due(step))) return;
    const { config, engine, domains } = this.#job;
    const { choices, detail } = this.#indexes;
    const specs = inspectionBatch(config, 1, config.context, detail !== undefined);
    const state = [...parameterShapes(config).keys()];
    this.#program ??= await engine.compile(inspection(config), store, specs, { state });
    const windows: RoutedWindow[] = [];
    const counted: Record<string, Values>[] = domains.map(() => ({}));
    for (const domain of domains.keys())
      for (const batch of windowOf(this.#job, domain)) {
        const { weights, ...inputs } = batch.inputs;
        const given = { ...inputs, ...allOn(config) };
        const results = await this.#program.run(detail ? { ...given, counted: weights } : given);
        windows.push(...routedWindows(config, batch, results));
        // Results are valid until the next run.
        if (detail)
          counted[domain] = Object.fromEntries(detail.statistics.flatMap((name) => copyResult(results, name)));
      }
    if (this.#choices.due(step)) this.#choices.append(choicesRecord(windows, config, choices));
    if (detail && this.#detail?.due(step)) this.#detail.append(detailRecord(windows, counted, config, detail));
  }

  grown(): readonly GrownFile[] {
    return this.#files().map(({ file }) => file);
  }

  sync(): void {
    for (const records of this.#files()) records.sync();
  }

  finish(): void {
    this.sync();
  }

  async close(): Promise<void> {
    for (const records of this.#files()) records.close();
    await this.#program?.dispose();
  }

  #files(): ProbeRecords[] {
    return [this.#choices, ...(this.#detail ? [this.#detail] : [])];
  }
}

/** The probe's indexes for a new training. */
function newIndexes(job: ProbeJob, { layers, experts }: MoeConfig) {
  const { config, domains, steps, tokensPerStep } = job;
  const tokens = domains.map((_, domain) => {
    const [batch] = windowOf(job, domain);
    return batch ? batch.inputs.weights.reduce((sum, weight) => sum + weight, 0) : 0;
  });
  const all = config.context * domains.length;
  const every = Math.max(Math.ceil(steps / maxProbes), Math.ceil(all / (3 * maxShare * tokensPerStep)));
  return probeIndexes({ layers, experts, domains, tokens, k: reportedChoices(config) }, every);
}

const copyResult = (results: Record<string, Values>, name: string): [string, Values][] =>
  results[name] ? [[name, results[name].slice()]] : [];

const windowOf = ({ config, data, domains }: ProbeJob, domain: number) => [
  ...evaluationBatches(config, data, { domains, batch: 1, tokens: config.context }, domain),
];

const allOn = (config: ModelConfig): Record<string, Values> => {
  const { mask } = maskSpec(config);
  return mask ? { mask: new Float32Array(mask.shape[0]! * mask.shape[1]!) } : {};
};
