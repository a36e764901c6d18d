import { rmSync } from "node:fs";
import { type Data, openData } from "../../data/dataset.ts";
import { Sampler } from "../../data/sampler.ts";
import { Store } from "../../engine/runtime/store.ts";
import { phaseSteps } from "../../experiment/phases.ts";
import { learningRateAt } from "../../model/schedule.ts";
import { flopsPerToken, parameterCount } from "../../model/size.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import { type Metric, metricSchema, type Phase, type StageResult } from "../../protocol/stage.ts";
import { type LineAppender, openLines } from "../../runs/append.ts";
import { assertFinite, type StageContext } from "../context.ts";
import { parametersIn, saveModel } from "../model.ts";
import { freshMoments, optimizer, type StepResult, trainedNames } from "./programs.ts";
import { RoutingRecorder } from "./routingRecorder.ts";
import { loadState, saveState } from "./savedState.ts";

/** Seconds between checkpoints of unfinished training; BTX_CHECKPOINT_SECONDS changes it, 0 is after every step. */
const checkpointSeconds = Number(process.env.BTX_CHECKPOINT_SECONDS ?? 10);
/** Saving may take this share of the time at most, however slow the disk. */
const savingShare = 0.03;

export interface TrainingJob {
  config: ModelConfig;
  /** The model to start from, name to values; called only if there is no saved state. */
  initial: () => Promise<Map<string, { shape: number[]; data: Float32Array }>>;
  phases: Phase[];
  randomSeed: number;
}

const stepsOf = ({ tokens, training }: Phase, context: number): number => phaseSteps(tokens, training.batch, context);

/**
 * Trains a model through its phases, each with its own data, schedule and fresh optimizer moments, and writes the
 * checkpoint. Killed at any moment and started again it goes on from the last saved state and ends with the same bits.
 */
export async function train(context: StageContext, job: TrainingJob): Promise<StageResult> {
  const { config, phases } = job;
  const steps = phases.reduce((sum, phase) => sum + stepsOf(phase, config.context), 0);
  const data = await openData(context.parent("data").folder);
  try {
    const domains = Object.keys(data.index.domains);
    const recorder = await RoutingRecorder.open(context.paths, config, domains, steps);
    const training = new Training(context, job, data, steps, recorder);
    try {
      return await training.run();
    } finally {
      training.close();
    }
  } finally {
    data.close();
  }
}

class Training {
  readonly #context: StageContext;
  readonly #job: TrainingJob;
  readonly #data: Data;
  readonly #domains: string[];
  readonly #steps: number;
  readonly #store = new Store();
  readonly #names: string[];
  readonly #metrics: LineAppender<Metric>;
  readonly #recorder: RoutingRecorder | undefined;
  /** Losses of the last tenth of the steps. */
  readonly #recent: number[] = [];
  #step = 0;
  #seconds = 0;
  #tokens = 0;
  #savedAt = performance.now();
  #savingMs = 0;

  constructor(
    context: StageContext,
    job: TrainingJob,
    data: Data,
    steps: number,
    recorder: RoutingRecorder | undefined,
  ) {
    this.#context = context;
    this.#job = job;
    this.#data = data;
    this.#domains = Object.keys(data.index.domains);
    this.#steps = steps;
    this.#names = trainedNames(job.config);
    this.#recorder = recorder;
    this.#metrics = openLines(context.paths.metrics, metricSchema);
  }

  async run(): Promise<StageResult> {
    const { config, phases } = this.#job;
    await this.#begin();
    let before = 0;
    for (const phase of phases) {
      const steps = stepsOf(phase, config.context);
      if (this.#step < before + steps) await this.#phase(phase, before, steps);
      else this.#tokens += steps * phase.training.batch * config.context;
      before += steps;
    }
    return this.#finish();
  }

  close(): void {
    this.#metrics.close();
    this.#recorder?.close();
  }

  /** Goes to where the saved state stands, or to the start. */
  async #begin(): Promise<void> {
    const saved = await loadState(this.#context.paths.state, this.#store, this.#names);
    if (saved) this.#context.log(`resumes after step ${saved.step} of ${this.#steps}`);
    else {
      for (const [name, { shape, data }] of await this.#job.initial()) this.#store.set(name, shape, data);
      freshMoments(this.#store, this.#job.config);
    }
    this.#step = saved?.step ?? 0;
    this.#seconds = saved?.seconds ?? 0;
    this.#recorder?.restore(this.#step, saved?.routing ?? []);
    this.#metrics.truncateTo(({ step, loss }) => {
      if (step > this.#step) return false;
      this.#remember(step, loss);
      return true;
    });
  }

  /** Trains `steps` steps that follow the first `before` of the stage. */
  async #phase(phase: Phase, before: number, steps: number): Promise<void> {
    const { config, randomSeed } = this.#job;
    const { training, mixture } = phase;
    const { batch } = training;
    const { context } = config;
    if (before > 0 && this.#step === before) freshMoments(this.#store, config);
    const sampler = new Sampler(this.#data, { mixture, batch, context, randomSeed: randomSeed + before });
    sampler.seek((this.#step - before) * batch);
    this.#tokens += (this.#step - before) * batch * context;
    const { threads } = this.#context;
    const started = performance.now();
    const program = await optimizer(this.#store, config, training, this.#domains.length, threads);
    this.#context.log(`compiled in ${Math.round(performance.now() - started)} ms, ${threads} threads`);
    try {
      while (this.#step < before + steps) {
        const start = performance.now();
        const step = this.#step - before + 1;
        const learningRate = learningRateAt(step, steps, training);
        const tokens = sampler.next();
        const domain = Int32Array.from(sampler.lastDomains, (name) => this.#domains.indexOf(name));
        const result = await program.step({ tokens, domain }, step, learningRate);
        this.#record(result, learningRate, batch * context, (performance.now() - start) / 1000);
        await this.#pause();
      }
    } finally {
      await program.dispose();
    }
  }

  /** Writes down a step that was taken. */
  #record(result: StepResult, learningRate: number, tokens: number, seconds: number): void {
    const { loss, loadBalance, gradientNorm } = result;
    assertFinite(loss, "the loss", this.#step + 1, learningRate);
    assertFinite(gradientNorm, "the gradient norm", this.#step + 1, learningRate);
    this.#step++;
    this.#seconds += seconds;
    this.#tokens += tokens;
    this.#metrics.append({
      step: this.#step,
      steps: this.#steps,
      tokens: this.#tokens,
      seconds: this.#seconds,
      loss,
      ...(loadBalance === undefined ? {} : { loadBalance }),
      gradientNorm,
      learningRate,
      tokensPerSecond: tokens / seconds,
    });
    this.#recorder?.add(this.#step, result);
    this.#remember(this.#step, loss);
  }

  #remember(step: number, loss: number): void {
    if (step > 0.9 * this.#steps) this.#recent.push(loss);
  }

  /** Between two steps: stops, after saving, if that is asked for; saves if it is time. */
  async #pause(): Promise<void> {
    try {
      await this.#context.breathe();
    } catch (stop) {
      await this.#save();
      throw stop;
    }
    const wait = checkpointSeconds > 0 ? Math.max(checkpointSeconds * 1000, this.#savingMs / savingShare) : 0;
    if (performance.now() - this.#savedAt >= wait) await this.#save();
  }

  async #save(): Promise<void> {
    const start = performance.now();
    this.#metrics.sync();
    this.#recorder?.sync();
    const progress = { step: this.#step, seconds: this.#seconds, routing: this.#recorder?.pending() ?? [] };
    await saveState(this.#context.paths.state, this.#store, this.#names, progress);
    this.#savedAt = performance.now();
    this.#savingMs = this.#savedAt - start;
  }

  async #finish(): Promise<StageResult> {
    const { config } = this.#job;
    const { paths } = this.#context;
    const model = { config, parameters: parametersIn(this.#store, config) };
    await saveModel(this.#context, model, this.#context.parent("data").folder);
    rmSync(paths.state, { force: true });
    const { total, active } = parameterCount(config);
    const recent = this.#recent;
    return {
      tokens: this.#tokens,
      steps: this.#steps,
      tokensPerSecond: this.#tokens / this.#seconds,
      ...(recent.length > 0 ? { trainingLoss: recent.reduce((sum, loss) => sum + loss, 0) / recent.length } : {}),
      parameters: total,
      activeParameters: active,
      flops: flopsPerToken(config, { training: true }) * this.#tokens,
    };
  }
}
