import { type Cut, denseFeedForwardParameters } from "../../model/blocks/feedForward/declaration.ts";
import { expertParameters } from "../../model/blocks/moe/declaration.ts";
import { UserError } from "../../protocol/errors.ts";
import { type ModelConfig, mixedExperts } from "../../protocol/model.ts";
import type { MixSpec } from "../../protocol/stage.ts";
import type { Parameters } from "../model.ts";
import { cut as cutTensor, join, sum, type Tensor } from "./tensors.ts";

/** One of the equal parts into which a model's feed-forward blocks are cut; both indices count from 0. */
export interface BlockPart {
  model: number;
  part: number;
}

/** Which parts of which models' feed-forward blocks make up each expert of a layer. BTX §3.3. */
export interface Arrangement {
  /** Names of the experts (E of them). */
  names: string[];
  /** Number of parts per block. */
  parts: number;
  /** The parts of each expert, joined in this order. */
  experts: BlockPart[][];
}

type Choice = Pick<MixSpec, "experts" | "split" | "blend">;

/**
 * The experts made from N models:
 * - by default, N whole blocks, named after the models;
 * - with `split` C, N*C experts "code.1", "code.2", ..., each one of the C parts of a block;
 * - with `blend`, N experts "blend.1", ..., the n-th made of the n-th of N parts of every model's block.
 *
 * @throws UserError if there are fewer than two models, or if both `split` and `blend` are set
 */
export function arrangement(choice: Choice): Arrangement {
  const { experts: models, split, blend } = choice;
  if (split !== undefined && blend) {
    throw new UserError("`split` and `blend` cannot be combined: remove one of them");
  }
  if (models.length < 2) {
    throw new UserError(`"${models.join()}" alone cannot be mixed: name at least two experts under \`mix.experts\``);
  }
  const names = mixedExperts(choice);
  if (blend) {
    const all = models.map((_, i) => i);
    return {
      names,
      parts: models.length,
      experts: all.map((part) => all.map((model) => ({ model, part }))),
    };
  }
  const parts = split ?? 1;
  const experts = models.flatMap((_, model) => Array.from({ length: parts }, (_, part) => [{ model, part }]));
  return { names, parts, experts };
}

/** @throws UserError if blocks of width `ffn` cannot be cut into this many equal parts */
export function assertDivisible(ffn: number, { parts }: Arrangement): void {
  if (ffn % parts === 0) return;
  throw new UserError(
    `a feed-forward block of width ${ffn} cannot be cut into ${parts} equal parts: choose a width (\`model.ffn\`) that is a multiple of ${parts}`,
  );
}

/** Assembles experts while the models are read one after the other, in their order. */
export class ExpertAssembly {
  readonly #arrangement: Arrangement;
  readonly #dense: ModelConfig;
  readonly #mixed: ModelConfig;
  /** The parts collected for each expert parameter, and how it is cut. */
  readonly #pieces = new Map<string, { cut: Cut; parts: Tensor[] }>();

  /** `dense` is the configuration of the models, `mixed` that of the mixed model. */
  constructor(arrangement: Arrangement, dense: ModelConfig, mixed: ModelConfig) {
    this.#arrangement = arrangement;
    this.#dense = dense;
    this.#mixed = mixed;
  }

  /** Keeps the parts of a model's blocks that experts use. */
  add(model: number, parameters: Parameters): void {
    for (const layer of this.#mixed.moe?.layers ?? []) {
      const block = denseFeedForwardParameters(this.#dense, layer);
      for (const [expert, pieces] of this.#arrangement.experts.entries()) {
        const own = pieces.filter((piece) => piece.model === model);
        if (own.length === 0) continue;
        const names = expertParameters(this.#mixed, layer, expert).map(({ name }) => name);
        for (const { part } of own)
          for (const [i, { name, cut }] of block.entries()) this.#addPart(names[i]!, cut, parameters.get(name)!, part);
      }
    }
  }

  #addPart(name: string, cut: Cut, tensor: Tensor, part: number): void {
    const { parts } = this.#arrangement;
    const { shape, data } = tensor;
    const piece =
      cut === "divided" ? { shape, data: data.map((x) => x / parts) } : cutTensor(tensor, { ...cut, part, parts });
    const kept = this.#pieces.get(name) ?? { cut, parts: [] };
    this.#pieces.set(name, { cut, parts: [...kept.parts, piece] });
  }

  /** Returns one parameter of the mixed model and frees its parts; undefined if it does not belong to an expert. */
  take(name: string): Tensor | undefined {
    const pieces = this.#pieces.get(name);
    this.#pieces.delete(name);
    if (!pieces) return undefined;
    return pieces.cut === "divided" ? sum(pieces.parts) : join(pieces.parts, pieces.cut.axis);
  }
}

/** A model's parameters without the feed-forward blocks of these layers. */
export function withoutBlocks(parameters: Parameters, dense: ModelConfig, layers: readonly number[]): Parameters {
  const rest = new Map(parameters);
  for (const layer of layers) for (const { name } of denseFeedForwardParameters(dense, layer)) rest.delete(name);
  return rest;
}
