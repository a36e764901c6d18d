import { type Difference, firstDifference, firstTokenizerDifference } from "../checkpoint/differences.ts";
import { groupOf } from "../model/groups.ts";
import { initialValues, parameterShapes } from "../model/parameters.ts";
import { parameterCount } from "../model/size.ts";
import { UserError } from "../protocol/errors.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { MixSpec, StageSpec } from "../protocol/stage.ts";
import type { StageContext, StageWork } from "./context.ts";
import { type Arrangement, arrangedWidth, arrangement, ExpertAssembly, withoutBlocks } from "./mixing/experts.ts";
import { Mean } from "./mixing/mean.ts";
import { routersFromText } from "./mixing/routersFromText.ts";
import { type Model, type Parameters, parentModel, saveModel } from "./model.ts";

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
 * MiX, BTX §3.2: each model's whole feed-forward block becomes an expert of the layer, or what `split` and `blend` make of
 * the blocks (§3.3); every other parameter is the plain mean over the models; a linear router [E, D] a layer is new, drawn
 * from the stage's seed of random numbers or, with `routerInit`, taken from the domains' text.
 * In layers that stay dense the feed-forward block is averaged too.
 */
export const mix: StageWork<MixSpec> = async (context) => {
  const { spec } = context;
  const { routerInit: init } = spec;
  if (init && spec.blend) {
    throw new UserError(
      `a blended expert stands for no domain, so its router cannot start from "${init.from}": choose random routers`,
    );
  }
  const arranged = arrangement(spec);
  const { dense, layers, assembly, mean } = await readModels(context, arranged);
  const width = arrangedWidth(dense.ffn, arranged);
  const moe = { experts: arranged.names, layers, router: spec.router, ...(width === dense.ffn ? {} : { ffn: width }) };
  const config: ModelConfig = { ...dense, moe };
  const modelOf = arranged.experts.map(([part]) => spec.experts[part!.model]!);
  const routers =
    init && (await routersFromText(context, { init, dense, layers, modelOf, mean: (name) => mean.of(name) }));
  const parameters: Parameters = new Map();
  for (const [name, shape] of parameterShapes(config)) {
    const data =
      groupOf(name) === "router"
        ? (routers?.get(name) ?? initialValues(name, shape, spec.randomSeed, config.layers))
        : (assembly.take(name)?.data ?? mean.of(name));
    parameters.set(name, { shape, data });
  }
  return finish(context, config, parameters);
};

/** What the mixture is made of, from one model after the other: experts, and the mean of what else is needed. */
async function readModels(context: StageContext<MixSpec>, arranged: Arrangement) {
  const { spec } = context;
  const mean = new Mean();
  let read: { dense: ModelConfig; layers: number[]; assembly: ExpertAssembly } | undefined;
  let index = 0;
  for await (const { config, parameters } of models(context)) {
    if (!read) {
      arrangedWidth(config.ffn, arranged);
      const layers = spec.layers ?? [...Array(config.layers).keys()];
      read = { dense: config, layers, assembly: new ExpertAssembly(arranged, layers) };
    }
    read.assembly.add(index++, parameters);
    mean.add(spec.routerInit?.from === "hidden" ? parameters : withoutBlocks(parameters, read.layers));
  }
  return { ...read!, mean };
}

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
