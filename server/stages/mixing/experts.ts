import { expertNames, type FeedForwardNames, feedForwardNames } from "../../model/parameters.ts";
import { UserError } from "../../protocol/errors.ts";
import { mixedExperts } from "../../protocol/model.ts";
import type { MixSpec } from "../../protocol/stage.ts";
import type { Parameters } from "../model.ts";
import { cut, join, sum, type Tensor } from "./tensors.ts";

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

/**
 * Width of the experts that an arrangement makes of blocks of width `ffn`.
 * @throws UserError where `ffn` can not be cut in so many equal parts
 */
export function arrangedWidth(ffn: number, { parts, experts }: Arrangement): number {
  if (ffn % parts === 0) return (ffn / parts) * experts[0]!.length;
  throw new UserError(
    `a feed-forward block of width ${ffn} cannot be cut in ${parts} equal parts: choose a width (\`model.ffn\`) that ${parts} divides`,
  );
}

/** Puts experts together while models are read one after the other, in their order. */
export class ExpertAssembly {
  readonly #arrangement: Arrangement;
  readonly #layers: readonly number[];
  /** Parts of each parameter of an expert. */
  readonly #pieces = new Map<string, Tensor[]>();

  constructor(arrangement: Arrangement, layers: readonly number[]) {
    this.#arrangement = arrangement;
    this.#layers = layers;
  }

  /** Keeps what the experts take from a model's blocks. */
  add(model: number, parameters: Parameters): void {
    for (const layer of this.#layers) {
      for (const [expert, parts] of this.#arrangement.experts.entries()) {
        for (const { part } of parts.filter((piece) => piece.model === model)) {
          this.#addPart(parameters, feedForwardNames(layer), part, expertNames(layer, expert));
        }
      }
    }
  }

  /**
   * Width F is axis 0 of gate and up, weights [F, D] and biases [F], and axis 1 of down's weight [D, F]. Down's bias [D]
   * is divided by the number of parts, so that the parts of a block add up to it.
   */
  #addPart(parameters: Parameters, block: FeedForwardNames, part: number, expert: FeedForwardNames): void {
    const { parts } = this.#arrangement;
    const keep = (from: string, to: string, piece: (tensor: Tensor) => Tensor) => {
      const tensor = parameters.get(from);
      if (!tensor) return;
      this.#pieces.set(to, [...(this.#pieces.get(to) ?? []), piece(tensor)]);
    };
    for (const kind of ["weight", "bias"]) {
      keep(`${block.gate}.${kind}`, `${expert.gate}.${kind}`, (tensor) => cut(tensor, { axis: 0, part, parts }));
      keep(`${block.up}.${kind}`, `${expert.up}.${kind}`, (tensor) => cut(tensor, { axis: 0, part, parts }));
    }
    keep(`${block.down}.weight`, `${expert.down}.weight`, (tensor) => cut(tensor, { axis: 1, part, parts }));
    keep(`${block.down}.bias`, `${expert.down}.bias`, ({ shape, data }) => ({
      shape,
      data: data.map((x) => x / parts),
    }));
  }

  /** Hands out one parameter of a mixture, and forgets it; undefined where it is not an expert's. */
  take(name: string): Tensor | undefined {
    const pieces = this.#pieces.get(name);
    this.#pieces.delete(name);
    if (!pieces) return undefined;
    if (name.endsWith(".w2.bias")) return sum(pieces);
    return join(pieces, name.endsWith(".w2.weight") ? 1 : 0);
  }
}

/** A model's parameters without the feed-forward blocks of these layers. */
export function withoutBlocks(parameters: Parameters, layers: readonly number[]): Parameters {
  const rest = new Map(parameters);
  for (const layer of layers) {
    const { gate, up, down } = feedForwardNames(layer);
    for (const name of [gate, up, down]) for (const kind of ["weight", "bias"]) rest.delete(`${name}.${kind}`);
  }
  return rest;
}
