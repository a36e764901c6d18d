import { stat } from "node:fs/promises";
import type { Engine, Runnable } from "../engine/engine.ts";
import { Store } from "../engine/store.ts";
import { type Decoder, openDecoder } from "../evaluation/decoder.ts";
import type { OpenedModel } from "../evaluation/openCheckpoint.ts";
import { inspection, inspectionBatch, maskSpec } from "../model/inspection.ts";
import { evaluation, sequenceBatch } from "../model/loss.ts";
import { MASKED } from "../ops/maskedSoftmax.ts";
import type { StageReference } from "../protocol/editor/basics.ts";
import { UserError } from "../protocol/errors.ts";
import type { RoutingAxes } from "../protocol/inspect.ts";
import { type ModelConfig, withK } from "../protocol/model.ts";
import { reportedChoices } from "../routing/choices.ts";
import { checkpointOf, colouredExperts, type FoundModel, findModel } from "../runs/findModel.ts";
import { openModel } from "./openModel.ts";

/** A model in memory with its compiled programs, kept for the next question. */
export class WarmModel {
  readonly found: FoundModel;
  readonly opened: OpenedModel;
  /** Results that later questions need again, by name. */
  readonly known = new Map<string, unknown>();
  readonly #store = new Store();
  readonly #engine: Engine;
  readonly #made = new Map<string, { dispose(): Promise<void> }>();

  constructor(found: FoundModel, opened: OpenedModel, engine: Engine) {
    this.found = found;
    this.opened = opened;
    this.#engine = engine;
    for (const [name, { shape, data }] of opened.parameters) this.#store.set(name, shape, data);
  }

  /** Reads a model's checkpoint. @throws UserError that names what cannot be read. */
  static async open(found: FoundModel, engine: Engine): Promise<WarmModel> {
    return new WarmModel(found, await openModel(found, found.stage), engine);
  }

  get name(): string {
    return this.found.stage.name;
  }

  /** Its configuration, with k experts per token if given. @throws UserError if k does not apply or is too large */
  config(k?: number): ModelConfig {
    const { config } = this.opened;
    if (k === undefined) return config;
    const { moe } = config;
    const router = moe && withK(moe.router, k);
    if (!router)
      throw new UserError(
        `"${this.name}" has no number of experts per token to change: its ${moe ? `router is ${moe.router.type}` : "layers are dense"}`,
      );
    if (k > moe.experts.length)
      throw new UserError(`"${this.name}" has ${moe.experts.length} experts, so a token cannot go to ${k} of them`);
    return { ...config, moe: { ...moe, router } };
  }

  /** The axes of its routing. */
  axes(k?: number): RoutingAxes {
    const { moe } = this.opened.config;
    const experts = moe ? colouredExperts(this.found, moe.experts) : [];
    return { layers: moe?.layers ?? [], experts, k: reportedChoices(this.config(k)) };
  }

  /** Index of an expert. @throws UserError that lists the experts. */
  expert(name: string): number {
    const { moe } = this.opened.config;
    if (!moe) throw new UserError(`"${this.name}" has no experts: its layers are dense`);
    const index = moe.experts.indexOf(name);
    if (index >= 0) return index;
    throw new UserError(`"${this.name}" has no expert "${name}"; it has ${moe.experts.join(", ")}`);
  }

  /** Position of a layer among the Mixture-of-Experts layers. @throws UserError if it is dense. */
  position(layer: number): number {
    const position = this.opened.config.moe?.layers.indexOf(layer) ?? -1;
    if (position >= 0) return position;
    throw new UserError(`layer ${layer} of "${this.name}" has no experts`);
  }

  /** The mask that switches experts off in one layer or in all, for batches with `maskSpec`; {} for a dense model. */
  mask(off: readonly string[] = [], layer?: number): { mask?: Float32Array } {
    const { moe } = this.opened.config;
    const indices = new Set(off.map((name) => this.expert(name)));
    if (!moe) return {};
    if (indices.size === moe.experts.length)
      throw new UserError(`all experts of "${this.name}" are switched off: leave one on`);
    const only = layer === undefined ? undefined : this.position(layer);
    const mask = new Float32Array(moe.layers.length * moe.experts.length);
    for (const position of moe.layers.keys()) {
      if (only !== undefined && position !== only) continue;
      for (const index of indices) mask[position * moe.experts.length + index] = MASKED;
    }
    return { mask };
  }

  /** `inspection` of `rows` texts of `time` tokens with k experts per token; if it counts, its batch has `counted`. */
  inspection(rows: number, time: number, k?: number, counts = false): Promise<Runnable> {
    return this.#once(`inspection ${rows} ${time} ${k} ${counts}`, () => {
      const config = this.config(k);
      return this.#engine.compile(inspection(config), this.#store, inspectionBatch(config, rows, time, counts));
    });
  }

  /** Compiled `evaluation` of `rows` windows, with a mask. */
  evaluation(rows: number, domains: number): Promise<Runnable> {
    return this.#once(`evaluation ${rows} ${domains}`, () => {
      const config = this.config();
      const batch = sequenceBatch(config, rows, config.context, { training: false });
      return this.#engine.compile(evaluation(config, domains), this.#store, { ...batch, ...maskSpec(config) });
    });
  }

  /** A decoder for one text. */
  decoder(k?: number): Promise<Decoder> {
    return this.#once(`decoder ${k}`, () =>
      openDecoder(this.config(k), this.opened.parameters, { rows: 1, engine: this.#engine, inspected: true }),
    );
  }

  async dispose(): Promise<void> {
    for (const made of this.#made.values()) await made.dispose();
    this.#made.clear();
  }

  async #once<T extends { dispose(): Promise<void> }>(name: string, make: () => Promise<T>): Promise<T> {
    const made = (this.#made.get(name) as T | undefined) ?? (await make());
    this.#made.set(name, made);
    return made;
  }
}

/** Models kept in memory: two, because some questions compare two. */
const maxModels = 2;

/** The models that were used last. */
export class WarmModels {
  /** By reference and version of the checkpoint, the most recent last. */
  readonly #models = new Map<string, WarmModel>();
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The model in a stage's current checkpoint. @throws UserError if there is none or it cannot be read. */
  async get(reference: StageReference): Promise<WarmModel> {
    const found = await findModel(reference);
    // Saving replaces the folder or a file in it: either changes the inode or the time.
    const folder = await stat(checkpointOf(found, found.stage)).catch(() => undefined);
    const key = JSON.stringify([found.root, found.run, found.stage.name, folder?.ino, folder?.mtimeMs]);
    const model = this.#models.get(key) ?? (await WarmModel.open(found, this.#engine));
    this.#models.delete(key);
    this.#models.set(key, model);
    for (const [oldest, unused] of [...this.#models].slice(0, -maxModels)) {
      this.#models.delete(oldest);
      await unused.dispose();
    }
    return model;
  }
}
