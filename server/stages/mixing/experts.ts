import { type Cut, denseFeedForwardParameters } from "../../model/blocks/feedForward/declaration.ts";
import { expertParameters } from "../../model/blocks/moe/declaration.ts";
import { UserError } from "../../protocol/errors.ts";
import { type ModelConfig, mixedExperts } from "../../protocol/model.ts";
import type { MixSpec } from "../../protocol/stage.ts";
import type { Parameters } from "../model.ts";
import { cut as cutTensor, join, sum, type Tensor } from "./tensors.ts";

/** One of the equal parts in which a model's feed-forward blocks are cut; both count from 0. */
export interface BlockPart {
  model: number;
  part: number;
}

/** Of which parts of which models' feed-forward blocks the experts of a layer are made. BTX §3.3. */
export interface Arrangement {
  /** Names of the experts (E of them). */
  names: string[];
  /** Parts of a block. */
  parts: number;
  /** Parts of each expert, joined in this order. */
  experts: BlockPart[][];
}

type Choice = Pick<MixSpec, "experts" | "split" | "blend">;

/**
 * The experts that N models give:
 * - N whole blocks, named as the models;
 * - with `split` C, N*C experts "code.1", "code.2", ..., each one of C parts of a block;
 * - with `blend`, N experts "blend.1", ..., the n-th made of the n-th of N parts of every model's block.
 *
 * @throws UserError where there are fewer than two models, or both are asked for
 */
export function arrangement(choice: Choice): Arrangement {
  const { experts: models, split, blend } = choice;
  if (split !== undefined && blend) {
    throw new UserError("`split` and `blend` cannot be had together: leave one of them out");
  }
  if (models.length < 2) {
    throw new UserError(`"${models.join()}" alone cannot be mixed: name two experts or more under \`mix.experts\``);
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

/** @throws UserError where blocks of width `ffn` cannot be cut in so many equal parts */
export function assertDivisible(ffn: number, { parts }: Arrangement): void {
  if (ffn % parts === 0) return;
  throw new UserError(
    `a feed-forward block of width ${ffn} cannot be cut in ${parts} equal parts: choose a width (\`model.ffn\`) that ${parts} divides`,
  );
}

/** Puts experts together while models are read one after the other, in their order. */
export class ExpertAssembly {
  readonly #arrangement: Arrangement;
  readonly #dense: ModelConfig;
  readonly #mixed: ModelConfig;
  /** Parts of each parameter of an expert, and how it is cut. */
  readonly #pieces = new Map<string, { cut: Cut; parts: Tensor[] }>();

  /** @param dense configuration of the models, `mixed` that of the mixture */
  constructor(arrangement: Arrangement, dense: ModelConfig, mixed: ModelConfig) {
    this.#arrangement = arrangement;
    this.#dense = dense;
    this.#mixed = mixed;
  }

  /** Keeps what the experts take from a model's blocks. */
  add(model: number, parameters: Parameters): void {
    for (const layer of this.#mixed.moe?.layers ?? []) {
      const block = denseFeedForwardParameters(this.#dense, layer);
      for (const [expert, pieces] of this.#arrangement.experts.entries()) {
        const names = expertParameters(this.#mixed, layer, expert).map(({ name }) => name);
        for (const { part } of pieces.filter((piece) => piece.model === model))
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

  /** Hands out one parameter of a mixture, and forgets it; undefined where it is not an expert's. */
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
