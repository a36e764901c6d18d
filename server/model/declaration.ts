import {
  attentionNormName,
  attentionOutputNormName,
  FINAL_NORM,
  feedForwardNormName,
  feedForwardOutputNormName,
} from "../parameters/names.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { sharedRouterParameters } from "../routers/declarations.ts";
import { attention } from "./blocks/attention/declaration.ts";
import { type BlockDeclaration, wholeBlock } from "./blocks/declaration.ts";
import { embedding, head } from "./blocks/embedding/declaration.ts";
import { feedForward } from "./blocks/feedForward/declaration.ts";
import { moe } from "./blocks/moe/declaration.ts";
import { norm } from "./blocks/norm/declaration.ts";

/** Whether a layer's feed-forward block is a Mixture-of-Experts. */
export const isMoeLayer = ({ moe }: ModelConfig, layer: number): boolean => moe?.layers.includes(layer) ?? false;

/** The blocks of one layer. */
export interface LayerDeclaration {
  /** Norms of each block's input and output; those that the model does not have are empty. */
  attentionNorm: BlockDeclaration;
  attention: BlockDeclaration;
  attentionOutputNorm: BlockDeclaration;
  feedForwardNorm: BlockDeclaration;
  /** Dense, or a Mixture-of-Experts. */
  feedForward: BlockDeclaration;
  feedForwardOutputNorm: BlockDeclaration;
}

/** The blocks of a model, as `decoder` (transformer.ts) runs them. */
export interface ModelDeclaration {
  embedding: BlockDeclaration;
  /** Parameters shared by the routers of all layers. */
  routers: BlockDeclaration;
  layers: LayerDeclaration[];
  finalNorm: BlockDeclaration;
  head: BlockDeclaration;
}

export interface DeclarationOptions {
  /** Measured average number of experts per token, by position among the Mixture-of-Experts layers; default K. */
  counts?: readonly number[];
}

export function declareModel(config: ModelConfig, { counts }: DeclarationOptions = {}): ModelDeclaration {
  const before = (name: string) => (config.normPlacement === "after" ? wholeBlock([]) : norm(name, config));
  const after = (name: string) => (config.normPlacement ? norm(name, config) : wholeBlock([]));
  const layer = (index: number): LayerDeclaration => ({
    attentionNorm: before(attentionNormName(index)),
    attention: attention(config, index),
    attentionOutputNorm: after(attentionOutputNormName(index)),
    feedForwardNorm: before(feedForwardNormName(index)),
    feedForward:
      config.moe && isMoeLayer(config, index) ? moe(config, config.moe, index, counts) : feedForward(config, index),
    feedForwardOutputNorm: after(feedForwardOutputNormName(index)),
  });
  return {
    embedding: embedding(config),
    routers: wholeBlock(config.moe ? sharedRouterParameters(config, config.moe) : []),
    layers: Array.from({ length: config.layers }, (_, index) => layer(index)),
    finalNorm: norm(FINAL_NORM, config),
    head: head(config),
  };
}

/** All blocks, in the order of the forward pass. */
export const blocksOf = ({ embedding, routers, layers, finalNorm, head }: ModelDeclaration): BlockDeclaration[] => [
  embedding,
  routers,
  ...layers.flatMap((layer) => [
    layer.attentionNorm,
    layer.attention,
    layer.attentionOutputNorm,
    layer.feedForwardNorm,
    layer.feedForward,
    layer.feedForwardOutputNorm,
  ]),
  finalNorm,
  head,
];
