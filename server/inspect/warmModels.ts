import { stat } from "node:fs/promises";
import type { Engine } from "../engine/engine.ts";
import type { StageReference } from "../protocol/editor/basics.ts";
import { checkpointOf, findModel } from "../runs/findModel.ts";
import { WarmModel } from "./warmModel.ts";

/** Models kept in memory: two, so that two can be compared. */
const mostModels = 2;

/** The models asked for last. */
export class WarmModels {
  /** By reference and state of the checkpoint; the last asked for at the end. */
  readonly #models = new Map<string, WarmModel>();
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** A stage's model, as its checkpoint is now. @throws UserError when there is none, or it cannot be read. */
  async get(reference: StageReference): Promise<WarmModel> {
    const found = await findModel(reference);
    // A save renames the weights in the folder, or the folder: either changes these.
    const folder = await stat(checkpointOf(found, found.stage)).catch(() => undefined);
    const key = JSON.stringify([found.root, found.run, found.stage.name, folder?.ino, folder?.mtimeMs]);
    const model = this.#models.get(key) ?? (await WarmModel.open(found, this.#engine));
    this.#models.delete(key);
    this.#models.set(key, model);
    for (const [oldest, unused] of [...this.#models].slice(0, -mostModels)) {
      this.#models.delete(oldest);
      await unused.dispose();
    }
    return model;
  }
}
