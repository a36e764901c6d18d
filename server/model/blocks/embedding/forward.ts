import { matMul, type Tensor } from "@tensorflow/tfjs-core";
import { embedding } from "../../../ops/embedding.ts";
import { named, type Tensors } from "../../../ops/program.ts";
import { EMBEDDING, HEAD } from "../../../parameters/names.ts";
import type { ModelConfig } from "../../../protocol/model.ts";

/** The embeddings of tokens [N] int32: [N, D]. */
export const embed = (params: Tensors, tokenIds: Tensor): Tensor => embedding(named(params, EMBEDDING), tokenIds);

/** Next-token scores of hidden states [R, D]: [R, V]. The head is the embedding where the two are tied. */
export const head = (params: Tensors, hidden: Tensor, config: ModelConfig): Tensor =>
  matMul(hidden, named(params, config.tiedEmbeddings ? EMBEDDING : HEAD), false, true);
