import { hash } from "node:crypto";
import { UserError } from "../protocol/errors.ts";
import type { Data } from "./dataset.ts";
import { Permutation } from "./permutation.ts";
import { MixtureSchedule } from "./schedule.ts";
import type { TokenFile } from "./tokenFile.ts";

export interface SamplerOptions {
  /** Weight of each domain; any positive scale. */
  mixture: Readonly<Record<string, number>>;
  /** Sequences a batch (B). */
  batch: number;
  /** Tokens a sequence is trained on (T). */
  context: number;
  randomSeed: number;
}

/** Sequences of a training step. */
export interface SampledBatch {
  /** Token ids [B, T + 1]: inputs are the first T columns, targets the last T. */
  windows: Int32Array;
  /** Domain of each sequence (B names). */
  domains: string[];
}

/**
 * Training batches of a mixture of domains. A domain's train text is cut into windows of T + 1 tokens, each beginning
 * with the last token of the one before, so that every token but the first is predicted once an epoch (a rest shorter
 * than a window is left out). Every epoch has its own shuffle. The order depends only on the options and the data, and
 * any position of it is reached at once.
 */
export class Sampler {
  readonly batch: number;
  readonly context: number;
  readonly #domains: DomainWindows[];
  readonly #schedule: MixtureSchedule;
  #position = 0;

  /** @throws UserError if a domain has less text to train on than one window */
  constructor(data: Pick<Data, "split">, { mixture, batch, context, randomSeed }: SamplerOptions) {
    this.batch = batch;
    this.context = context;
    const names = Object.keys(mixture).sort();
    if (names.length === 0) throw new UserError("the mixture names no domain");
    this.#domains = names.map((name) => new DomainWindows(name, data.split(name, "train"), context, randomSeed));
    const offset = hash("sha256", `mixture ${randomSeed}`, "buffer").readUInt32LE();
    this.#schedule = new MixtureSchedule(
      names.map((name) => mixture[name]!),
      offset,
    );
  }

  /** Sequences drawn so far. */
  get position(): number {
    return this.#position;
  }

  /** Goes to where `position` sequences have been drawn; takes no longer for a larger one. */
  seek(position: number): void {
    if (!Number.isSafeInteger(position) || position < 0) throw new RangeError(`no position: ${position}`);
    this.#position = position;
    for (const [i, count] of this.#schedule.countsBefore(position).entries()) this.#domains[i]!.drawn = count;
  }

  /** The next batch. */
  next(): SampledBatch {
    const width = this.context + 1;
    const windows = new Int32Array(this.batch * width);
    const domains: string[] = [];
    for (let row = 0; row < this.batch; row++) {
      const domain = this.#domains[this.#schedule.domainAt(this.#position++)]!;
      domain.draw(windows, row * width);
      domains.push(domain.name);
    }
    return { windows, domains };
  }
}

/** One domain's windows, epoch after epoch. */
class DomainWindows {
  readonly name: string;
  /** Windows drawn so far, over all epochs. */
  drawn = 0;
  readonly #file: TokenFile;
  readonly #context: number;
  readonly #randomSeed: number;
  readonly #windows: number;
  #epoch = -1;
  #order = new Permutation(1, "");

  constructor(name: string, file: TokenFile, context: number, randomSeed: number) {
    this.name = name;
    this.#file = file;
    this.#context = context;
    this.#randomSeed = randomSeed;
    this.#windows = Math.floor((file.length - 1) / context);
    if (this.#windows < 1) {
      throw new UserError(
        `the domain "${name}" has ${file.length} training tokens, fewer than one context of ${context} tokens plus one: add text or lower \`model.context\``,
      );
    }
  }

  draw(into: Int32Array, at: number): void {
    const epoch = Math.floor(this.drawn / this.#windows);
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#order = new Permutation(this.#windows, `order ${this.#randomSeed} ${this.name} ${epoch}`);
    }
    const window = this.#order.at(this.drawn % this.#windows);
    this.drawn++;
    this.#file.read(window * this.#context, this.#context + 1, into, at);
  }
}
