import type { ComparedRow, ComparisonOfRuns } from "../../server/protocol/comparison.ts";

/** A model of one experiment: the experiment's name and the model's name in its runs. */
export interface ModelOf {
  variant: string;
  model: string;
}

/** A mean over random seeds, with the standard error of the mean where there are several. */
export interface Mean {
  value: number;
  error?: number;
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function mean(values: readonly number[]): Mean {
  const value = meanOf(values);
  if (values.length < 2) return { value };
  const variance = values.reduce((sum, each) => sum + (each - value) ** 2, 0) / (values.length - 1);
  return { value, error: Math.sqrt(variance / values.length) };
}

/** Held-out losses of the reproduction's models, by experiment, model and random seed. */
export class Results {
  readonly comparison: ComparisonOfRuns;
  readonly #jobs: readonly { name: string; randomSeed: number }[];

  /** @param jobs those whose runs were compared, in the same order. */
  constructor(comparison: ComparisonOfRuns, jobs: readonly { name: string; randomSeed: number }[]) {
    this.comparison = comparison;
    this.#jobs = jobs;
  }

  get domains(): string[] {
    return this.comparison.domains;
  }

  /** The row of a model. @throws Error when no run of that experiment evaluated it. */
  row({ variant, model }: ModelOf): ComparedRow {
    const of = (place: number) => this.#jobs[place]!.name === variant;
    const found = this.comparison.rows.find(
      (row) => row.model === model && row.samples.some(({ runs }) => runs.some(of)),
    );
    if (!found) throw new Error(`no run of "${variant}" evaluated ${model}`);
    return found;
  }

  /** Held-out loss by random seed, nats a token; `domain` may be "mean". */
  losses(of: ModelOf, domain = "mean"): Map<number, number> {
    return new Map(
      this.row(of).samples.flatMap(({ runs, nats }) => runs.map((run) => [this.#jobs[run]!.randomSeed, nats[domain]!])),
    );
  }

  loss(of: ModelOf, domain = "mean"): Mean {
    return mean(this.row(of).samples.map(({ nats }) => nats[domain]!));
  }

  /** `a` minus `b` in mean held-out loss, paired by random seed: both grew from the same experts. */
  difference(a: ModelOf, b: ModelOf): Mean {
    const [first, second] = [this.losses(a), this.losses(b)];
    return mean([...first].flatMap(([seed, loss]) => (second.has(seed) ? [loss - second.get(seed)!] : [])));
  }
}
