import { maxChoices } from "../protocol/inspect.ts";
import { expertsPerToken, type ModelConfig, type MoeConfig } from "../protocol/model.ts";
import { expertsResult, gatesResult } from "../protocol/routingStatistics.ts";

/** Choices to report per token and layer (K): the most of any layer, up to `maxChoices`; 0 for a dense model. */
export const reportedChoices = ({ moe }: Pick<ModelConfig, "moe">): number =>
  moe ? Math.min(maxChoices, Math.max(...moe.layers.map((_, position) => expertsPerToken(moe, position)))) : 0;

/** Experts and gates of N tokens, [L, N, K] each: largest gate first, -1 and 0 if fewer experts have a gate. */
export class Choices {
  readonly layers: number;
  readonly tokens: number;
  readonly k: number;
  readonly experts: Int16Array;
  readonly gates: Float32Array;
  readonly #moe: MoeConfig | undefined;

  constructor(config: Pick<ModelConfig, "moe">, tokens: number) {
    this.#moe = config.moe;
    this.layers = config.moe?.layers.length ?? 0;
    this.tokens = tokens;
    this.k = reportedChoices(config);
    this.experts = new Int16Array(this.layers * tokens * this.k).fill(-1);
    this.gates = new Float32Array(this.experts.length);
  }

  /** Copies token `row` of a program's `routingResults` to token `token`. */
  take(results: Readonly<Record<string, ArrayLike<number>>>, row: number, token: number): void {
    for (let layer = 0; layer < this.layers; layer++) {
      const count = expertsPerToken(this.#moe!, layer);
      const from = row * count;
      const experts = results[expertsResult(layer)]!;
      const gates = results[gatesResult(layer)]!;
      const order = Array.from({ length: count }, (_, i) => from + i).filter((i) => gates[i]! > 0);
      order.sort((a, b) => gates[b]! - gates[a]!);
      const at = (layer * this.tokens + token) * this.k;
      for (let i = 0; i < Math.min(order.length, this.k); i++) {
        this.experts[at + i] = experts[order[i]!]!;
        this.gates[at + i] = gates[order[i]!]!;
      }
    }
  }

  /** The experts of a token in the layer at `position` among the Mixture-of-Experts layers. */
  of(position: number, token: number): Int16Array {
    const at = (position * this.tokens + token) * this.k;
    return this.experts.subarray(at, at + this.k);
  }

  /** For messages, with rounded gates. */
  toMessage(): { chosen: number[]; gates: number[] } {
    return { chosen: [...this.experts], gates: Array.from(this.gates, rounded) };
  }
}

/** Rounds to five decimals. */
export const rounded = (x: number): number => Math.round(x * 1e5) / 1e5;
