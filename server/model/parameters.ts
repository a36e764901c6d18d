import type { ModelConfig } from "../protocol/model.ts";
import { randomStream } from "./random.ts";

/** Names of the parameters outside the layers, as in Hugging Face's Llama. */
export const EMBEDDING = "model.embed_tokens.weight";
export const FINAL_NORM = "model.norm.weight";
export const HEAD = "lm_head.weight";

/** Prefix of layer `layer`'s parameters. */
export const layerPrefix = (layer: number): string => `model.layers.${layer}`;

/** Prefix of layer `layer`'s Mixture-of-Experts block, as in Hugging Face's Mixtral. */
export const moePrefix = (layer: number): string => `${layerPrefix(layer)}.block_sparse_moe`;

/** A feed-forward block's three linear layers, without ".weight" or ".bias". */
export interface FeedForwardNames {
  gate: string;
  up: string;
  down: string;
}

/** Names of a dense block. Llama's gate_proj, up_proj and down_proj are Mixtral's w1, w3 and w2. */
export function feedForwardNames(layer: number): FeedForwardNames {
  const prefix = `${layerPrefix(layer)}.mlp`;
  return { gate: `${prefix}.gate_proj`, up: `${prefix}.up_proj`, down: `${prefix}.down_proj` };
}

/** Names of one expert's block. */
export function expertNames(layer: number, expert: number): FeedForwardNames {
  const prefix = `${moePrefix(layer)}.experts.${expert}`;
  return { gate: `${prefix}.w1`, up: `${prefix}.w3`, down: `${prefix}.w2` };
}

/** Name of a layer's router weight [E, D]. */
export const routerName = (layer: number): string => `${moePrefix(layer)}.gate.weight`;

/**
 * Name of a layer's router bias [E], as in Hugging Face's DeepSeek-V3: added to the router's scores where experts are
 * chosen, not where they are weighted (arXiv 2408.15664). There where `router.balance` is "bias".
 */
export const routerBiasName = (layer: number): string => `${moePrefix(layer)}.gate.e_score_correction_bias`;

/** True where a layer's feed-forward block is a Mixture-of-Experts. */
export const isMoeLayer = (config: ModelConfig, layer: number): boolean => config.moe?.layers.includes(layer) ?? false;

type Shapes = Map<string, number[]>;

/** Adds one linear layer, weight [out, in] and perhaps a bias [out]. */
function addLinear(shapes: Shapes, name: string, out: number, input: number, bias: boolean): void {
  shapes.set(`${name}.weight`, [out, input]);
  if (bias) shapes.set(`${name}.bias`, [out]);
}

function addAttention(shapes: Shapes, config: ModelConfig, layer: number): void {
  const { hidden, heads, kvHeads, headSize, attentionBias } = config;
  const prefix = `${layerPrefix(layer)}.self_attn`;
  addLinear(shapes, `${prefix}.q_proj`, heads * headSize, hidden, attentionBias);
  addLinear(shapes, `${prefix}.k_proj`, kvHeads * headSize, hidden, attentionBias);
  addLinear(shapes, `${prefix}.v_proj`, kvHeads * headSize, hidden, attentionBias);
  addLinear(shapes, `${prefix}.o_proj`, hidden, heads * headSize, attentionBias);
}

/** Width of the intermediate layer of one expert. */
export const expertWidth = ({ ffn, moe }: Pick<ModelConfig, "ffn" | "moe">): number => moe?.ffn ?? ffn;

/** One block of width `ffn`. */
function addFeedForward(
  shapes: Shapes,
  { hidden, ffnBias }: ModelConfig,
  { names, ffn }: { names: FeedForwardNames; ffn: number },
): void {
  addLinear(shapes, names.gate, ffn, hidden, ffnBias);
  addLinear(shapes, names.up, ffn, hidden, ffnBias);
  addLinear(shapes, names.down, hidden, ffn, ffnBias);
}

/**
 * Every parameter's name and shape, in the order of the forward pass. Names and shapes are those of Hugging Face's
 * Llama, and of its Mixtral where a layer is a Mixture-of-Experts: linear weights are [out, in].
 */
export function parameterShapes(config: ModelConfig): Shapes {
  const { vocab, hidden, layers, moe } = config;
  const shapes: Shapes = new Map([[EMBEDDING, [vocab, hidden]]]);
  for (let layer = 0; layer < layers; layer++) {
    shapes.set(`${layerPrefix(layer)}.input_layernorm.weight`, [hidden]);
    addAttention(shapes, config, layer);
    shapes.set(`${layerPrefix(layer)}.post_attention_layernorm.weight`, [hidden]);
    if (moe && isMoeLayer(config, layer)) {
      shapes.set(routerName(layer), [moe.experts.length, hidden]);
      if (moe.router.balance === "bias") shapes.set(routerBiasName(layer), [moe.experts.length]);
      moe.experts.forEach((_, expert) => {
        addFeedForward(shapes, config, { names: expertNames(layer, expert), ffn: expertWidth(config) });
      });
    } else {
      addFeedForward(shapes, config, { names: feedForwardNames(layer), ffn: config.ffn });
    }
  }
  shapes.set(FINAL_NORM, [hidden]);
  if (!config.tiedEmbeddings) shapes.set(HEAD, [vocab, hidden]);
  return shapes;
}

const isNorm = (name: string): boolean => name.endsWith("norm.weight");
const isBias = (name: string): boolean => name.endsWith("bias");

/** Whether AdamW's weight decay applies to a parameter: to all but norms and biases. */
export const decays = (name: string): boolean => !isNorm(name) && !isBias(name);

const STANDARD_DEVIATION = 0.02;

/** Linear layers that write into the residual stream; 2 a layer. */
const writesResidual = (name: string): boolean => /\.(o_proj|down_proj|w2)\.weight$/.test(name);

/**
 * A parameter's values before training: norms 1, biases 0, weights normal with deviation 0.02, those that write into
 * the residual stream with 0.02 / sqrt(2 L), as in GPT-2. Depends on the seed of random numbers and the name only.
 */
export function initialValues(name: string, shape: number[], randomSeed: number, layers: number): Float32Array {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  if (isNorm(name)) return data.fill(1);
  if (isBias(name)) return data;
  const deviation = writesResidual(name) ? STANDARD_DEVIATION / Math.sqrt(2 * layers) : STANDARD_DEVIATION;
  const random = randomStream(randomSeed, name);
  for (let i = 0; i < data.length; i++) data[i] = deviation * random.normal();
  return data;
}

/** Every parameter of an untrained model; see `initialValues`. */
export function initialParameters(
  config: ModelConfig,
  randomSeed: number,
): Map<string, { shape: number[]; data: Float32Array }> {
  return new Map(
    [...parameterShapes(config)].map(([name, shape]) => [
      name,
      { shape, data: initialValues(name, shape, randomSeed, config.layers) },
    ]),
  );
}
