import { type Difference, firstDifference, firstTokenizerDifference } from "../checkpoint/differences.ts";
import { declaredParameters, parameterShapes } from "../model/parameters.ts";
import { parameterCount } from "../model/size.ts";
import { startValues } from "../model/startValues.ts";
import { UserError } from "../protocol/errors.ts";
import { type ModelConfig, type MoeConfig, mixedConfig } from "../protocol/model.ts";
import type { MixSpec, StageSpec } from "../protocol/stage.ts";
import type { StageContext, StageWork } from "./context.ts";
import { type Arrangement, arrangement, assertDivisible, ExpertAssembly, withoutBlocks } from "./mixing/experts.ts";
import { Mean } from "./mixing/mean.ts";
import { routersFromText } from "./mixing/routersFromText.ts";
import { type Model, type Parameters, parentModel, saveModel } from "./model.ts";

type MergeSpec = Extract<StageSpec, { experts: string[]; kind: "mix" | "average" }>;

/** Loads the models to merge, one at a time. @throws UserError if they differ in shape or tokenizer */
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
      throw new UserError(`"${name}" is already a Mixture-of-Experts: only dense models can be mixed`);
    const { checkpoint } = context.parent(role);
    first ??= { name, config: model.config, checkpoint };
    refuse(name, firstDifference(first.config, model.config), "configurations");
    refuse(name, await firstTokenizerDifference(first.checkpoint, checkpoint), "tokenizers");
    yield { ...model, name };
    await context.yieldToSignals();
  }
}

async function finish(context: StageContext<MergeSpec>, config: ModelConfig, parameters: Parameters) {
  const { checkpoint } = context.parent(`expert:${context.spec.experts[0]}`);
  await saveModel(context, { config, parameters }, { tokenizer: checkpoint, madeFrom: checkpoint });
  const { total, active } = parameterCount(config);
  return { parameters: total, activeParameters: active };
}

/**
 * MiX, BTX §3.2: each model's whole feed-forward block becomes an expert of the layer, or is rearranged by `split` or
 * `blend` (§3.3). Every other parameter is the plain mean over the models. Each layer gets a new linear router [E, D],
 * initialized randomly from the stage's random seed or, with `routerInit`, from the domains' text.
 * In layers that stay dense, the feed-forward blocks are averaged, too.
 */
export const mix: StageWork<MixSpec> = async (context) => {
  const { spec } = context;
  const { routerInit: init } = spec;
  if (init && spec.blend) {
    throw new UserError(
      `a blended expert belongs to no domain, so its router cannot start from "${init.from}": choose random routers`,
    );
  }
  const arranged = arrangement(spec);
  const { dense, config, assembly, mean } = await readModels(context, arranged);
  const { layers } = config.moe;
  const modelOf = arranged.experts.map(([part]) => spec.experts[part!.model]!);
  const routers =
    init && (await routersFromText(context, { init, dense, layers, modelOf, mean: (name) => mean.of(name) }));
  const parameters: Parameters = new Map();
  for (const parameter of declaredParameters(config)) {
    const { name, shape } = parameter;
    // Parameters that no model has are new: the routers.
    const data =
      assembly.take(name)?.data ??
      (mean.has(name) ? mean.of(name) : (routers?.get(name) ?? startValues(parameter, spec.randomSeed)));
    parameters.set(name, { shape, data });
  }
  return finish(context, config, parameters);
};

/** Configuration of a model with experts. */
type MixedConfig = ModelConfig & { moe: MoeConfig };

interface ReadModels {
  dense: ModelConfig;
  config: MixedConfig;
  assembly: ExpertAssembly;
  mean: Mean;
}

/** Reads one model after the other, and collects the experts and the mean of all other parameters that are needed. */
async function readModels(context: StageContext<MixSpec>, arranged: Arrangement): Promise<ReadModels> {
  const { spec } = context;
  let read: ReadModels | undefined;
  let index = 0;
  for await (const { config: dense, parameters } of models(context)) {
    read ??= begin(dense, spec, arranged);
    read.assembly.add(index++, parameters);
    const needed = spec.routerInit?.from === "hidden";
    read.mean.add(needed ? parameters : withoutBlocks(parameters, dense, read.config.moe.layers));
  }
  return read!;
}

function begin(dense: ModelConfig, spec: MixSpec, arranged: Arrangement): ReadModels {
  assertDivisible(dense.ffn, arranged);
  const config = mixedConfig(dense, spec) as MixedConfig;
  return { dense, config, assembly: new ExpertAssembly(arranged, dense, config), mean: new Mean() };
}

/** The baseline that averages all weights of the models, including the feed-forward blocks. */
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
