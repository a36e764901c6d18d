import type { Data } from "../../data/dataset.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Runnable, Values } from "../../engine/program.ts";
import type { Store } from "../../engine/runtime/store.ts";
import { toldChoices } from "../../inspect/choices.ts";
import { evaluationBatches } from "../../inspect/evaluationBatches.ts";
import { decidingChoices, type RoutedWindow, routedWindows } from "../../inspect/routedWindows.ts";
import { inspection, inspectionBatch, maskSpec } from "../../model/inspect.ts";
import { parameterShapes } from "../../model/parameters.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import { probeSize, type RoutingProbeIndex, routingProbeIndexSchema } from "../../protocol/routingFiles.ts";
import { openRecords, type RecordAppender } from "../../runs/append.ts";
import { writeJson } from "../../runs/atomic.ts";
import type { StagePaths } from "../../runs/layout.ts";
import { readJson } from "../../runs/read.ts";

/** Probes of a training at most, besides the first one. */
const probes = 20;
/** Share of the training that they may take: a probe's tokens count a third of a step's, which also go backward. */
const mostShare = 0.02;
/** Bytes of `routing-probe.f32`, at most. */
const mostBytes = 64 << 20;

export interface ProbeJob {
  paths: StagePaths;
  config: ModelConfig;
  data: Data;
  domains: string[];
  /** Optimizer steps of the training, and tokens of a step at least. */
  steps: number;
  tokensPerStep: number;
  engine: Engine;
}

/**
 * Looks now and then which experts the same held-out tokens choose, a window a domain, before training and after every few
 * steps: from that follows how early the routers are what they are in the end. It changes nothing.
 */
export class RoutingProbe {
  readonly #job: ProbeJob;
  readonly #index: RoutingProbeIndex;
  readonly #records: RecordAppender;
  #program: Runnable | undefined;

  private constructor(job: ProbeJob, index: RoutingProbeIndex) {
    this.#job = job;
    this.#index = index;
    this.#records = openRecords(job.paths.routingProbe, probeSize(index));
  }

  /** Undefined for a dense model, and where the choices are too many. A stage that was begun without goes on without. */
  static async open(job: ProbeJob, begun: boolean): Promise<RoutingProbe | undefined> {
    const { paths, config, domains } = job;
    const known = await readJson(paths.routingProbeIndex, routingProbeIndexSchema);
    if (known || begun || !config.moe) return known && new RoutingProbe(job, known);
    const tokens = domains.map((_, domain) => {
      const [batch] = windowOf(job, domain);
      return batch ? batch.inputs.weights.reduce((sum, weight) => sum + weight, 0) : 0;
    });
    const { layers, experts } = config.moe;
    const axes = { version: 1 as const, layers, experts, domains, tokens, k: toldChoices(config) };
    if (4 * probeSize(axes) * (probes + 2) > mostBytes) return undefined;
    const all = config.context * domains.length;
    const every = Math.max(Math.ceil(job.steps / probes), Math.ceil(all / (3 * mostShare * job.tokensPerStep)));
    await writeJson(paths.routingProbeIndex, { ...axes, every });
    return new RoutingProbe(job, { ...axes, every });
  }

  /** Goes back to where `step` steps were taken. */
  restore(step: number): void {
    const { every } = this.#index;
    const end = step === this.#job.steps && step % every !== 0 ? 1 : 0;
    this.#records.truncateTo(step === 0 ? 0 : Math.floor(step / every) + 1 + end);
  }

  /** After step `step`, 0 before the first: looks, if it is time. @param store has the parameters. */
  async after(step: number, store: Store): Promise<void> {
    const { config, engine, domains, steps } = this.#job;
    if (step % this.#index.every !== 0 && step !== steps) return;
    const specs = inspectionBatch(config, 1, config.context);
    const state = [...parameterShapes(config).keys()];
    this.#program ??= await engine.compile(inspection(config), store, specs, { state });
    const windows: RoutedWindow[] = [];
    for (const domain of domains.keys())
      for (const batch of windowOf(this.#job, domain)) {
        const { weights: _, ...inputs } = batch.inputs;
        const results = await this.#program.run({ ...inputs, ...allOn(config) });
        windows.push(...routedWindows(config, batch, results));
      }
    this.#records.append(recordOf(windows, config, this.#index));
  }

  sync(): void {
    this.#records.sync();
  }

  async close(): Promise<void> {
    this.#records.close();
    await this.#program?.dispose();
  }
}

const windowOf = ({ config, data, domains }: ProbeJob, domain: number) => [
  ...evaluationBatches(config, data, { domains, batch: 1, tokens: config.context }, domain),
];

const allOn = (config: ModelConfig): Record<string, Values> => {
  const { mask } = maskSpec(config);
  return mask ? { mask: new Float32Array(mask.shape[0]! * mask.shape[1]!) } : {};
};

/** -1 where fewer than k experts say where a token goes. */
function recordOf(
  windows: readonly RoutedWindow[],
  config: ModelConfig,
  { domains, tokens, layers, k }: RoutingProbeIndex,
): Float32Array {
  const record = new Float32Array(probeSize({ layers, tokens, k })).fill(-1);
  let start = 0;
  for (const [domain, name] of domains.entries()) {
    const window = windows.find((one) => one.domain === name);
    for (const position of layers.keys())
      for (let token = 0; window && token < window.choices.tokens; token++) {
        const chosen = window.choices.of(position, token).subarray(0, decidingChoices(config, position));
        record.set(chosen, start + (position * tokens[domain]! + token) * k);
      }
    start += layers.length * tokens[domain]! * k;
  }
  return record;
}
