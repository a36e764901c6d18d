import { existsSync } from "node:fs";
import { type Data, openData } from "../../data/dataset.ts";
import { Sampler } from "../../data/sampler.ts";
import { type GrownFile, type LineAppender, openLines } from "../../disk/append.ts";
import { remove } from "../../disk/atomic.ts";
import { Store } from "../../engine/store.ts";
import { learningRateAt } from "../../model/optimizer.ts";
import { declaredParameters } from "../../model/parameters.ts";
import { flopsPerToken, parameterCount } from "../../model/size.ts";
import { totalSize } from "../../parameters/declaration.ts";
import { isFrozen } from "../../parameters/freeze.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import { type Metric, metricSchema, type Phase, type StageResult } from "../../protocol/stage.ts";
import { RoutingRecorder } from "../../routing/recorder.ts";
import type { StageContext } from "../context.ts";
import { parametersIn, saveModel } from "../model.ts";
import { LossScale } from "./lossScale.ts";
import { objectives } from "./objectives.ts";
import type { TrainingObserver } from "./observer.ts";
import { openOptimizer } from "./optimizer.ts";
import { beginMoments, type ScheduledPhase, scheduledPhases, stateNames } from "./phases.ts";
import { RoutingProbe } from "./routingProbe.ts";
import { checkGrown, digestsOfGrown, loadState, saveState } from "./savedState.ts";
import type { StepResult } from "./stepResult.ts";
import { assertFiniteStep, assertFiniteTensor, assertPrecision, type LastStep } from "./trainingErrors.ts";

/** Seconds between saves of unfinished training. Set by BTX_CHECKPOINT_SECONDS; 0 saves after every step. */
const checkpointSeconds = Number(process.env.BTX_CHECKPOINT_SECONDS ?? 10);
/** Largest share of the time spent on saving, however slow the disk is. */
const savingShare = 0.03;

/** Columns of `metrics.jsonl` that no auxiliary loss may take. */
const reserved = new Set(Object.keys(metricSchema.omit({ loadBalance: true, zLoss: true }).shape));

export interface TrainingJob {
  config: ModelConfig;
  /** The parameters to start from, by name; called only if there is no saved state. */
  initial: () => Promise<Map<string, { shape: number[]; data: Float32Array }>>;
  phases: Phase[];
  randomSeed: number;
  /** Folder of the model that it starts from; absent: random weights. */
  madeFrom?: string;
}

/**
 * Trains a model through its phases and writes the checkpoint. Each phase has its own data, schedule and frozen groups,
 * and fresh optimizer moments unless it keeps them. If the process is killed at any moment and started again, training
 * continues from the last saved state and ends with bit-identical results.
 */
export async function train(context: StageContext, job: TrainingJob): Promise<StageResult> {
  const { config, phases } = job;
  await assertPrecision(phases, context.engine);
  const schedule = scheduledPhases(phases, config.context);
  const steps = schedule.reduce((sum, scheduled) => sum + scheduled.steps, 0);
  const data = await openData(context.parent("data").folder);
  try {
    const observers = await openObservers(context, job, data, steps);
    const training = new Training(context, job, data, schedule, observers);
    try {
      return await training.run();
    } finally {
      await training.close();
    }
  } finally {
    data.close();
  }
}

/** The observers of a training: the routing of a Mixture-of-Experts is recorded and probed. */
async function openObservers(
  { paths, engine }: StageContext,
  { config, phases }: TrainingJob,
  data: Data,
  steps: number,
): Promise<TrainingObserver[]> {
  const domains = Object.keys(data.index.domains);
  const tokensPerStep = Math.min(...phases.map(({ training }) => training.batch)) * config.context;
  const begun = existsSync(paths.state);
  const recorder = await RoutingRecorder.open(paths, config, domains, steps, begun);
  const probe = await RoutingProbe.open({ paths, config, data, domains, steps, tokensPerStep, engine }, begun);
  return [recorder, probe].filter((observer) => observer !== undefined);
}

class Training {
  readonly #context: StageContext;
  readonly #job: TrainingJob;
  readonly #data: Data;
  readonly #domains: string[];
  readonly #schedule: ScheduledPhase[];
  readonly #steps: number;
  readonly #flopsPerToken: ReadonlyMap<ScheduledPhase, number>;
  readonly #store = new Store();
  readonly #metrics: LineAppender<Metric>;
  readonly #observers: readonly TrainingObserver[];
  /** Loss scale of a float16 phase. */
  #lossScale: LossScale | undefined;
  /** Losses of the last tenth of the steps. */
  readonly #recent: number[] = [];
  /** Numbers of the last step of this process, for error messages. */
  #lastStep: LastStep | undefined;
  #step = 0;
  #seconds = 0;
  #tokens = 0;
  #savedAt = performance.now();
  #savingMs = 0;

  constructor(
    context: StageContext,
    job: TrainingJob,
    data: Data,
    schedule: ScheduledPhase[],
    observers: readonly TrainingObserver[],
  ) {
    this.#context = context;
    this.#job = job;
    this.#data = data;
    this.#domains = Object.keys(data.index.domains);
    this.#schedule = schedule;
    this.#steps = schedule.reduce((sum, { steps }) => sum + steps, 0);
    this.#flopsPerToken = new Map(
      schedule.map((scheduled) => {
        const { freeze } = scheduled.phase.training;
        return [scheduled, flopsPerToken(job.config, { training: true, freeze })];
      }),
    );
    this.#observers = observers;
    this.#metrics = openLines(context.paths.metrics, metricSchema);
  }

  async run(): Promise<StageResult> {
    await this.#begin();
    for (const scheduled of this.#schedule) {
      if (this.#step < scheduled.before + scheduled.steps) await this.#phase(scheduled);
      else this.#tokens += this.#tokensOf(scheduled);
    }
    return this.#finish();
  }

  async close(): Promise<void> {
    this.#metrics.close();
    for (const observer of this.#observers) await observer.close();
  }

  #tokensOf({ phase, steps }: ScheduledPhase): number {
    return steps * phase.training.batch * this.#job.config.context;
  }

  /** Names of the tensors in a state after `step` steps, including the moments of that step's phase. */
  #stateNames(step: number): string[] {
    const reached = this.#schedule.find(({ before, steps }) => step <= before + steps);
    return stateNames(this.#job.config, reached?.phase.training.freeze);
  }

  /** Restores the saved state, or starts from the initial parameters. */
  async #begin(): Promise<void> {
    const saved = await loadState(this.#context.paths.state, this.#store, (step) => this.#stateNames(step));
    if (saved) this.#context.log(`resumes after step ${saved.step} of ${this.#steps}`);
    else for (const [name, { shape, data }] of await this.#job.initial()) this.#store.set(name, shape, data);
    this.#step = saved?.step ?? 0;
    this.#seconds = saved?.seconds ?? 0;
    if (saved?.lossScale) this.#lossScale = new LossScale(saved.lossScale);
    for (const observer of this.#observers) {
      observer.restore(this.#step, saved ?? {});
      if (this.#step === 0) await observer.after(0, undefined, this.#store);
    }
    this.#metrics.truncateTo(({ step, loss }) => {
      if (step > this.#step) return false;
      this.#remember(step, loss);
      return true;
    });
    checkGrown(this.#grown(), saved?.files);
  }

  /** The files that grow with training. */
  #grown(): GrownFile[] {
    return [this.#metrics, ...this.#observers.flatMap((observer) => observer.grown())];
  }

  async #phase(scheduled: ScheduledPhase): Promise<void> {
    const { phase, before, steps, momentSteps } = scheduled;
    const { config } = this.#job;
    const { training, mixture, objective = { type: "next-token" }, keepMoments: keep } = phase;
    const randomSeed = this.#job.randomSeed + before;
    const { batch } = training;
    const { context } = config;
    if (this.#step === before) {
      beginMoments(this.#store, config, { freeze: training.freeze, keep });
      this.#lossScale = training.precision && new LossScale();
    }
    const sampler = new Sampler(this.#data, { mixture, batch, context, randomSeed });
    sampler.seek((this.#step - before) * batch);
    this.#tokens += (this.#step - before) * batch * context;
    const { engine } = this.#context;
    const started = performance.now();
    const domains = this.#domains.length;
    const lossScale = this.#lossScale;
    const phaseJob = { config, training, domains, engine, steps, momentSteps, randomSeed, lossScale };
    const optimizer = await openOptimizer(this.#store, phaseJob, objectives.get(objective.type));
    this.#context.log(`compiled in ${Math.round(performance.now() - started)} ms`);
    try {
      while (this.#step < before + steps) {
        const start = performance.now();
        const step = this.#step - before + 1;
        const learningRate = learningRateAt(step, steps, training);
        const { windows, domains: names } = sampler.next();
        const domain = Int32Array.from(names, (name) => this.#domains.indexOf(name));
        const result = await optimizer.step({ windows, domain }, step, learningRate);
        lossScale?.logChange((lowered) => this.#context.log(`step ${this.#step + 1}: ${lowered}`));
        this.#record(result, scheduled, learningRate, (performance.now() - start) / 1000);
        for (const observer of this.#observers) await observer.after(this.#step, result, this.#store);
        await this.#pause();
      }
    } finally {
      await optimizer.dispose();
    }
  }

  /** Records a completed step. */
  #record(result: StepResult, scheduled: ScheduledPhase, learningRate: number, seconds: number): void {
    const { loss, auxiliary, gradientNorm } = result;
    const tokens = this.#tokensOf(scheduled) / scheduled.steps;
    const dropped = result.droppedTokens?.reduce((sum, count) => sum + count, 0);
    const choices = tokens * (this.#job.config.moe?.layers.length ?? 0);
    this.#lastStep = { step: this.#step + 1, learningRate, loss, gradientNorm, float16: !!this.#lossScale };
    assertFiniteStep(this.#lastStep);
    for (const name of Object.keys(auxiliary))
      if (reserved.has(name))
        throw new Error(`an auxiliary loss cannot be named "${name}": it is a column of every step`);
    this.#step++;
    this.#seconds += seconds;
    this.#tokens += tokens;
    this.#metrics.append({
      step: this.#step,
      steps: this.#steps,
      tokens: this.#tokens,
      seconds: this.#seconds,
      loss,
      ...auxiliary,
      ...(dropped === undefined ? {} : { droppedShare: dropped / choices }),
      gradientNorm,
      learningRate,
      tokensPerSecond: tokens / seconds,
      flops: this.#flopsSoFar(scheduled),
      memory: process.memoryUsage.rss(),
    });
    this.#remember(this.#step, loss);
  }

  #remember(step: number, loss: number): void {
    if (step > 0.9 * this.#steps) this.#recent.push(loss);
  }

  /** Called between two steps: saves if a save is due; if a stop was requested, saves and throws. */
  async #pause(): Promise<void> {
    try {
      await this.#context.yieldToSignals();
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
    for (const observer of this.#observers) observer.sync();
    const pending = Object.assign({}, ...this.#observers.map((observer) => observer.pending?.()));
    const lossScale = this.#lossScale ? { lossScale: this.#lossScale.state } : {};
    const files = digestsOfGrown(this.#grown());
    const progress = { step: this.#step, seconds: this.#seconds, routing: [], ...pending, ...lossScale, files };
    const check = (name: string, values: ArrayLike<number>) => assertFiniteTensor(name, values, this.#lastStep);
    await saveState(this.#context.paths.state, this.#store, this.#stateNames(this.#step), progress, check);
    this.#savedAt = performance.now();
    this.#savingMs = this.#savedAt - start;
  }

  async #finish(): Promise<StageResult> {
    const { config } = this.#job;
    const { paths } = this.#context;
    for (const observer of this.#observers) observer.finish?.(this.#step);
    this.#context.written(digestsOfGrown(this.#grown()));
    const model = { config, parameters: await parametersIn(this.#store, config) };
    for (const [name, { data }] of model.parameters) assertFiniteTensor(name, data, this.#lastStep);
    const tokenizer = this.#context.parent("data").folder;
    const { madeFrom } = this.#job;
    await saveModel(this.#context, model, { tokenizer, ...(madeFrom === undefined ? {} : { madeFrom }) });
    await remove(paths.state);
    const { total, active } = parameterCount(config);
    const recent = this.#recent;
    return {
      tokens: this.#tokens,
      steps: this.#steps,
      tokensPerSecond: this.#tokens / this.#seconds,
      ...(recent.length > 0 ? { trainingLoss: recent.reduce((sum, loss) => sum + loss, 0) / recent.length } : {}),
      parameters: total,
      activeParameters: active,
      ...this.#frozen(),
      flops: this.#schedule.reduce((sum, scheduled) => sum + this.#flopsOf(scheduled), 0),
    };
  }

  /** Floating-point operations of a phase's first `steps` steps. */
  #flopsOf(scheduled: ScheduledPhase, steps = scheduled.steps): number {
    const { batch } = scheduled.phase.training;
    return (this.#flopsPerToken.get(scheduled) ?? 0) * steps * batch * this.#job.config.context;
  }

  /** Floating-point operations of all earlier phases and of this phase's steps so far. */
  #flopsSoFar(scheduled: ScheduledPhase): number {
    const earlier = this.#schedule.filter(({ before }) => before < scheduled.before);
    const now = this.#flopsOf(scheduled, this.#step - scheduled.before);
    return earlier.reduce((sum, one) => sum + this.#flopsOf(one), now);
  }

  /** Number of parameters that every phase froze; left out if no phase froze any. */
  #frozen(): Pick<StageResult, "frozenParameters"> {
    const { config, phases } = this.#job;
    if (phases.every(({ training: { freeze = [] } }) => "length" in freeze && freeze.length === 0)) return {};
    const frozen = declaredParameters(config).filter((parameter) =>
      phases.every(({ training }) => isFrozen(parameter, training.freeze)),
    );
    return { frozenParameters: totalSize(frozen) };
  }
}
