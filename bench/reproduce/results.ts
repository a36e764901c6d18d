import type { ComparedRow, ComparisonOfRuns } from "../../server/protocol/comparison.ts";

/** A model of one experiment: the experiment's name and the model's name in its runs. */
export interface ModelOf {
  variant: string;
  model: string;
}

/** A model of the experiment that is set against the baselines; the finetuned model of an ablation. */
export const main = (model: string): ModelOf => ({ variant: "main", model });
export const ablation = (variant: string): ModelOf => ({ variant, model: "btx" });

/** A mean over random seeds; where there are several, the standard error of the mean and the seeds' degrees of freedom. */
export interface Mean {
  value: number;
  error?: number;
  degrees?: number;
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function mean(values: readonly number[]): Mean {
  const value = meanOf(values);
  if (values.length < 2) return { value };
  const variance = values.reduce((sum, each) => sum + (each - value) ** 2, 0) / (values.length - 1);
  return { value, error: Math.sqrt(variance / values.length), degrees: values.length - 1 };
}

/** Held-out losses of the reproduction's models, by experiment, model and random seed. */
export class Results {
  readonly comparison: ComparisonOfRuns;
  readonly #jobs: readonly { name: string; randomSeed: number }[];
  readonly #single: readonly ComparisonOfRuns[];

  /** @param jobs those whose runs were compared, in the same order; `single`: each run alone. */
  constructor(
    comparison: ComparisonOfRuns,
    jobs: readonly { name: string; randomSeed: number }[],
    single: readonly ComparisonOfRuns[],
  ) {
    this.comparison = comparison;
    this.#jobs = jobs;
    this.#single = single;
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

  /** Held-out loss by random seed, nats per token; `domain` may be "mean". */
  losses(of: ModelOf, domain = "mean"): Map<number, number> {
    return new Map(
      this.row(of).samples.flatMap(({ runs, nats }) => runs.map((run) => [this.#jobs[run]!.randomSeed, nats[domain]!])),
    );
  }

  loss(of: ModelOf, domain = "mean"): Mean {
    return mean(this.row(of).samples.map(({ nats }) => nats[domain]!));
  }

  /** In each run of an experiment, the smallest share of routed tokens that an expert has in a layer, over an even share. */
  smallestShares(variant: string): number[] {
    return this.#single.flatMap(({ rows }, run) => {
      const routing = rows.find(({ model }) => model === "btx")?.routing;
      if (this.#jobs[run]!.name !== variant || !routing) return [];
      return [routing.smallest.share * routing.experts.length];
    });
  }

  /** `a` minus `b` in mean held-out loss, paired by random seed. */
  difference(a: ModelOf, b: ModelOf): Mean {
    const [first, second] = [this.losses(a), this.losses(b)];
    return mean([...first].flatMap(([seed, loss]) => (second.has(seed) ? [loss - second.get(seed)!] : [])));
  }
}
