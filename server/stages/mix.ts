import { type Difference, firstDifference, firstTokenizerDifference } from "../checkpoint/differences.ts";
import { expertNames, feedForwardNames, initialValues, parameterShapes, routerName } from "../model/parameters.ts";
import { parameterCount } from "../model/size.ts";
import { UserError } from "../protocol/errors.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { MixSpec, StageSpec } from "../protocol/stage.ts";
import type { StageContext, StageWork } from "./context.ts";
import { type Model, type Parameters, parentModel, saveModel } from "./model.ts";

/** Running sums in double precision, so that a mean over any number of models is rounded once. */
class Mean {
  readonly #sums = new Map<string, Float64Array>();
  #count = 0;

  add(parameters: Parameters): void {
    this.#count++;
    for (const [name, { data }] of parameters) {
      const sum = this.#sums.get(name);
      if (!sum) this.#sums.set(name, Float64Array.from(data));
      else for (let i = 0; i < data.length; i++) sum[i]! += data[i]!;
    }
  }

  of(name: string): Float32Array {
    return Float32Array.from(this.#sums.get(name)!, (sum) => sum / this.#count);
  }
}

type MergeSpec = Extract<StageSpec, { experts: string[]; kind: "mix" | "average" }>;

/** Loads the models to merge one after the other; refuses those that differ in shape or tokenizer. */
async function* models(context: StageContext<MergeSpec>): AsyncGenerator<Model & { name: string }> {
  let first: { name: string; config: ModelConfig; checkpoint: string } | undefined;
  const refuse = (name: string, difference: Difference | undefined, of: string) => {
    if (!difference) return;
    const { key, a, b } = difference;
    const values = `${JSON.stringify(a)} and ${JSON.stringify(b)}`;
    throw new UserError(
      `"${first!.name}" and "${name}" cannot be mixed: their ${of} differ in ${key || "all"}, ${values}`,
    );
  };
  for (const name of context.spec.experts) {
    const role = `expert:${name}`;
    const model = await parentModel(context, role);
    if (model.config.moe)
      throw new UserError(`"${name}" is a Mixture-of-Experts already: only dense models can be mixed`);
    const { checkpoint } = context.parent(role);
    first ??= { name, config: model.config, checkpoint };
    refuse(name, firstDifference(first.config, model.config), "configurations");
    refuse(name, await firstTokenizerDifference(first.checkpoint, checkpoint), "tokenizers");
    yield { ...model, name };
    await context.breathe();
  }
}

async function finish(context: StageContext<MergeSpec>, config: ModelConfig, parameters: Parameters) {
  const { checkpoint } = context.parent(`expert:${context.spec.experts[0]}`);
  await saveModel(context, { config, parameters }, checkpoint);
  const { total, active } = parameterCount(config);
  return { parameters: total, activeParameters: active };
}

/**
 * MiX, BTX §3.2: each model's whole feed-forward block becomes an expert of the layer; every other parameter is the
 * plain mean over the models; a linear router [E, D] a layer is new, drawn from the stage's seed of random numbers.
 * In layers that stay dense the feed-forward block is averaged too.
 */
export const mix: StageWork<MixSpec> = async (context) => {
  const { spec } = context;
  const mean = new Mean();
  const experts: Parameters = new Map();
  let config: ModelConfig | undefined;
  let index = 0;
  for await (const model of models(context)) {
    const layers = spec.layers ?? [...Array(model.config.layers).keys()];
    config ??= { ...model.config, moe: { experts: spec.experts, layers, router: spec.router } };
    const rest: Parameters = new Map(model.parameters);
    for (const layer of layers) {
      const [from, to] = [feedForwardNames(layer), expertNames(layer, index)];
      for (const part of ["gate", "up", "down"] as const) {
        for (const kind of ["weight", "bias"]) {
          const tensor = rest.get(`${from[part]}.${kind}`);
          if (!tensor) continue;
          experts.set(`${to[part]}.${kind}`, tensor);
          rest.delete(`${from[part]}.${kind}`);
        }
      }
    }
    mean.add(rest);
    index++;
  }
  const routers = new Set(config!.moe!.layers.map(routerName));
  const parameters: Parameters = new Map();
  for (const [name, shape] of parameterShapes(config!)) {
    const expert = experts.get(name);
    const data = routers.has(name)
      ? initialValues(name, shape, spec.randomSeed, config!.layers)
      : (expert?.data ?? mean.of(name));
    parameters.set(name, { shape, data });
  }
  return finish(context, config!, parameters);
};

/** The baseline that averages all weights of the models, feed-forward blocks included. */
export const average: StageWork<Extract<StageSpec, { kind: "average" }>> = async (context) => {
  const mean = new Mean();
  let config: ModelConfig | undefined;
  for await (const model of models(context)) {
    config ??= model.config;
    mean.add(model.parameters);
  }
  const parameters: Parameters = new Map();
  for (const [name, shape] of parameterShapes(config!)) parameters.set(name, { shape, data: mean.of(name) });
  return finish(context, config!, parameters);
};
