import { UserError } from "../../protocol/errors.ts";
import type { Ask } from "../lookups/questions.ts";
import type { Snapshot } from "../snapshot.ts";
import type { Costs } from "./costs.ts";

/** How long reading a seed and a tokenizer may take, ms. */
const longest = 30_000;

/** The costs of experiments, computed once per version; while a text has mistakes, those of the last valid version. */
export class ExperimentFacts {
  readonly #ask: Ask;
  readonly #known = new Map<string, { snapshot: Snapshot; costs: Promise<Costs | undefined> }>();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  async costs(snapshot: Snapshot): Promise<Costs | undefined> {
    const known = this.#known.get(snapshot.uri);
    const { experiment } = snapshot.parsed;
    if (!experiment || known?.snapshot === snapshot) return known?.costs;
    const costs = this.#look(snapshot);
    this.#known.set(snapshot.uri, { snapshot, costs });
    return costs;
  }

  /** @param uri the file whose costs are out of date; undefined: all. */
  forget(uri?: string): void {
    if (uri === undefined) this.#known.clear();
    else this.#known.delete(uri);
  }

  async #look({ file = "untitled.btx.yaml", text }: Snapshot): Promise<Costs | undefined> {
    try {
      return await this.#ask("costs", { file, text }, { owner: file, ms: longest });
    } catch (error) {
      if (error instanceof UserError) return undefined;
      throw error;
    }
  }
}
