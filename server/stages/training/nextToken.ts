import type { Runnable } from "../../engine/engine.ts";
import type { Store } from "../../engine/store.ts";
import { balanceMeans, balancesOverBatch } from "../../model/balanceMeans.ts";
import { sequenceBatch } from "../../model/loss.ts";
import { optimizerInputs } from "../../model/optimizer.ts";
import { parameterShapes } from "../../model/parameters.ts";
import { accumulate, applyGradients, gradientNorm, gradientShapes, trainStep } from "../../model/trainStep.ts";
import { sizeOf, type Values } from "../../ops/program.ts";
import type { LossScale } from "./lossScale.ts";
import { stateNames } from "./phases.ts";
import { microBatch, sequences } from "./stepBatch.ts";
import { type PhaseJob, type StepPrograms, scalar, scalarSpecs } from "./stepPrograms.ts";
import { copyResults, resultOf, type StepResult, sumsOf } from "./stepResult.ts";

/**
 * The programs for next-token training. A batch of one micro-batch runs as one program that computes gradients and
 * updates. For several micro-batches, gradients are accumulated, so that memory is bounded by the micro-batch.
 */
export const nextToken = (store: Store, job: PhaseJob): Promise<StepPrograms> =>
  job.training.batch === job.training.microBatch ? wholeBatch(store, job) : inMicroBatches(store, job);

/**
 * Repeats a float16 step with half the loss scale until its gradients do not overflow. Without a loss scale, runs the
 * step once with scale 1.
 */
async function untilFinite(
  lossScale: LossScale | undefined,
  attempt: (scale: number) => Promise<StepResult>,
): Promise<StepResult> {
  for (;;) {
    const result = await attempt(lossScale?.state.scale ?? 1);
    if (!lossScale) return result;
    if (Number.isFinite(result.gradientNorm)) {
      lossScale.count();
      return result;
    }
    // If the loss itself is not finite, or the scale is already 1, the scale is not the cause.
    if (!Number.isFinite(result.loss) || !lossScale.lower()) return result;
  }
}

async function wholeBatch(
  store: Store,
  { config, training, domains, engine, lossScale }: PhaseJob,
): Promise<StepPrograms> {
  const sequenceSpecs = sequenceBatch(config, training.batch, config.context, { training: true });
  const numbers = [...optimizerInputs, ...(lossScale ? ["lossScale"] : [])];
  const program = await engine.compile(
    trainStep(config, { ...training, fewCalls: engine.fewCalls }, domains),
    store,
    { ...sequenceSpecs, ...scalarSpecs(...numbers) },
    { state: stateNames(config, training.freeze) },
  );
  return {
    run(batch, inputs) {
      const unscaled = { ...sequences(batch, config), ...inputs };
      return untilFinite(lossScale, async (scale) => {
        const scaled: Record<string, Values> = lossScale ? { lossScale: scalar(scale) } : {};
        return resultOf([await program.run({ ...unscaled, ...scaled })]);
      });
    },
    dispose: () => program.dispose(),
  };
}

async function inMicroBatches(store: Store, job: PhaseJob): Promise<StepPrograms> {
  const { config, training, domains, engine, lossScale } = job;
  const { freeze } = training;
  const updating = { ...training, fewCalls: engine.fewCalls };
  const shapes = gradientShapes(config, freeze);
  for (const [name, shape] of shapes) store.set(name, shape, new Float32Array(sizeOf(shape)));
  const parts = training.batch / training.microBatch;

  const means = balancesOverBatch(config) ? await meansOverBatch(store, job) : undefined;
  const specs = {
    ...sequenceBatch(config, training.microBatch, config.context, { training: true, means: !!means }),
    ...(lossScale ? scalarSpecs("lossScale") : {}),
  };
  const gradients = (first: boolean): Promise<Runnable> =>
    engine.compile(accumulate(config, domains, { ...training, first }), store, specs, {
      state: [...parameterShapes(config).keys(), ...shapes.keys()],
    });
  const [first, next] = [await gradients(true), await gradients(false)];
  const apply = await engine.compile(
    applyGradients(config, updating),
    store,
    scalarSpecs(...optimizerInputs, "share"),
    { state: [...stateNames(config, freeze), ...shapes.keys()] },
  );
  const norm = lossScale
    ? await engine.compile(gradientNorm(config, updating), store, scalarSpecs("share"), { state: [...shapes.keys()] })
    : undefined;

  /** Sums the micro-batches' gradients in the store and returns the results of each. */
  async function accumulated(batches: Record<string, Values>[]): Promise<Record<string, Values>[]> {
    const results: Record<string, Values>[] = [];
    for (const [part, batch] of batches.entries())
      results.push(copyResults(await (part === 0 ? first : next).run(batch)));
    return results;
  }

  return {
    async run(batch, inputs) {
      const batches = Array.from({ length: parts }, (_, part) => ({
        ...sequences(microBatch(batch, part, parts, config), config),
        ...inputs,
      }));
      const balanced = means ? await means.of(batches) : {};
      let share = scalar(1 / parts);
      const result = await untilFinite(lossScale, async (scale) => {
        const scaled = { ...balanced, lossScale: scalar(scale) };
        const reported = resultOf(await accumulated(batches.map((micro) => ({ ...micro, ...scaled }))));
        share = scalar(1 / (parts * scale));
        return norm ? { ...reported, gradientNorm: normIn(await norm.run({ share })) } : reported;
      });
      if (norm && !Number.isFinite(result.gradientNorm)) return result;
      return { ...result, gradientNorm: normIn(await apply.run({ ...inputs, share })) };
    },
    async dispose() {
      for (const program of [first, next, apply, ...(norm ? [norm] : []), ...(means ? [means] : [])])
        await program.dispose();
      for (const name of shapes.keys()) store.delete(name);
    },
  };
}

const normIn = ({ gradientNorm }: Record<string, Values>): number => gradientNorm?.[0] ?? Number.NaN;

/** A forward pass over all micro-batches, for the means over the batch that each micro-batch's gradients need. */
async function meansOverBatch(store: Store, { config, training, engine }: PhaseJob) {
  const specs = sequenceBatch(config, training.microBatch, config.context, { training: true });
  const program = await engine.compile(balanceMeans(config, training), store, specs, {
    state: [...parameterShapes(config).keys()],
  });
  return {
    /** `meanGates` and `meanProbabilities` [Lmoe, E] over micro-batches of equal size. */
    async of(batches: Record<string, Values>[]): Promise<Record<string, Values>> {
      const results: Record<string, Values>[] = [];
      for (const batch of batches) results.push(copyResults(await program.run(batch)));
      return Object.fromEntries(
        Object.keys(results[0] ?? {}).map((name) => [
          name,
          Float32Array.from(sumsOf(results, name), (sum) => sum / batches.length),
        ]),
      );
    },
    dispose: () => program.dispose(),
  };
}
