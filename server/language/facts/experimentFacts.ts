import type { Snapshot } from "../snapshot.ts";
import { type Costs, experimentCosts } from "./costs.ts";

/** The costs of experiments, computed once per version; while a text has mistakes, those of the last valid version. */
export class ExperimentFacts {
  readonly #known = new Map<string, { snapshot: Snapshot; costs: Promise<Costs | undefined> }>();

  async costs(snapshot: Snapshot): Promise<Costs | undefined> {
    const known = this.#known.get(snapshot.uri);
    const { experiment } = snapshot.parsed;
    if (!experiment || known?.snapshot === snapshot) return known?.costs;
    const costs = experimentCosts(experiment, snapshot.file);
    this.#known.set(snapshot.uri, { snapshot, costs });
    return costs;
  }

  forget(uri: string): void {
    this.#known.delete(uri);
  }
}
