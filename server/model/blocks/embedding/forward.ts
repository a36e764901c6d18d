import { matMul, type Tensor } from "@tensorflow/tfjs-core";
import { embedding } from "../../../ops/embedding.ts";
import { named, type Tensors } from "../../../ops/program.ts";
import { EMBEDDING, HEAD } from "../../../parameters/names.ts";
import type { ModelConfig } from "../../../protocol/model.ts";

/** Token embeddings: [N] int32 -> [N, D]. */
export const embed = (params: Tensors, tokenIds: Tensor): Tensor => embedding(named(params, EMBEDDING), tokenIds);

/** Next-token logits: hidden states [R, D] -> [R, V]. The embedding matrix serves as the head if the two are tied. */
export const head = (params: Tensors, hidden: Tensor, config: ModelConfig): Tensor =>
  matMul(hidden, named(params, config.tiedEmbeddings ? EMBEDDING : HEAD), false, true);
