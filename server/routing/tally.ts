import type { ModelConfig } from "../protocol/model.ts";
import type { RoutingDetailIndex, RoutingSummary } from "../protocol/routingFiles.ts";
import { histogramBins } from "../protocol/routingStatistics.ts";
import { writeFileAtomic, writeJson } from "../runs/atomic.ts";
import type { StagePaths } from "../runs/layout.ts";
import { keptTokens, type RoutedBatch, type RoutedWindow, routedWindows } from "./routedWindows.ts";
import { type VocabularyOf, vocabularySpecialisation } from "./vocabularySpecialisation.ts";

type Axes = Pick<RoutingSummary, "layers" | "experts" | "domains">;

const zeros = ({ layers, experts, domains }: Axes): number[][][] =>
  layers.map(() => experts.map(() => domains.map(() => 0)));

/** The largest file of pairs and histograms that is written, bytes. */
const mostDetailBytes = 256 << 20;

/**
 * Sums the routing statistics of an evaluation: by domain and expert, and the pairs and histograms of each domain; and keeps
 * which experts each token chose, for the measures that follow tokens.
 */
export class RoutingTally {
  readonly #config: ModelConfig;
  readonly #summary: RoutingSummary;
  readonly #windows: RoutedWindow[] = [];
  /** One record a domain, see `routingDetailIndexSchema`; absent where they would be too large. */
  readonly #details: Float64Array[] | undefined;

  /** @param config of a Mixture-of-Experts. */
  constructor(config: ModelConfig, domains: string[]) {
    this.#config = config;
    const { layers, experts } = config.moe!;
    const axes = { layers, experts, domains };
    this.#summary = {
      ...axes,
      routedTokens: zeros(axes),
      gateMass: zeros(axes),
      probability: zeros(axes),
      entropy: layers.map(() => domains.map(() => 0)),
      tokens: domains.map(() => 0),
    };
    const [L, E] = [layers.length, experts.length];
    const size = (2 * L - 1) * E * E + L * E * histogramBins;
    if (domains.length * size * 4 <= mostDetailBytes) this.#details = domains.map(() => new Float64Array(size));
  }

  /** Adds what the program `evaluation` says of a batch. */
  add(batch: RoutedBatch & { domainIndex: number }, results: Readonly<Record<string, ArrayLike<number>>>): void {
    const domain = batch.domainIndex;
    const summary = this.#summary;
    const { layers, experts, domains } = summary;
    if (results.droppedTokens) summary.droppedTokens ??= zeros(summary);
    summary.tokens[domain]! += results.tokens![domain]!;
    layers.forEach((_, layer) => {
      const row = layer * domains.length + domain;
      summary.entropy![layer]![domain]! += results.entropy![row]!;
      for (const statistic of ["routedTokens", "gateMass", "probability", "droppedTokens"] as const) {
        const [sums, values] = [summary[statistic], results[statistic]];
        if (!sums || !values) continue;
        experts.forEach((__, expert) => {
          sums[layer]![expert]![domain]! += values[row * experts.length + expert]!;
        });
      }
    });
    this.#addDetail(domain, results);
    if (summary.tokens[domain]! <= keptTokens(this.#config, domains.length))
      this.#windows.push(...routedWindows(this.#config, batch, results));
  }

  summary(): RoutingSummary {
    const { layers, experts, domains } = this.#summary;
    const of = (what: VocabularyOf) => {
      // [L, D + 1, E] to [layer][expert][domain]
      const flat = vocabularySpecialisation(this.#windows, this.#config, domains, what);
      const rows = domains.length + 1;
      return layers.map((_, layer) =>
        experts.map((__, expert) =>
          Array.from({ length: rows }, (___, row) => flat[(layer * rows + row) * experts.length + expert]!),
        ),
      );
    };
    return { ...this.#summary, vocabulary: { input: of("input"), predicted: of("predicted") } };
  }

  #addDetail(
    domain: number,
    { coActivation, transitions, histogram }: Readonly<Record<string, ArrayLike<number>>>,
  ): void {
    const detail = this.#details?.[domain];
    if (!detail) return;
    const { layers, experts, domains } = this.#summary;
    let start = 0;
    for (const values of [coActivation!, transitions ?? []]) {
      for (let at = 0; at < values.length; at++) detail[start + at]! += values[at]!;
      start += values.length;
    }
    // histogram [L, Domains, E, bins]: of this domain, [L, E, bins].
    const size = experts.length * histogramBins;
    for (let layer = 0; layer < layers.length; layer++) {
      const from = (layer * domains.length + domain) * size;
      for (let at = 0; at < size; at++) detail[start + layer * size + at]! += histogram![from + at]!;
    }
  }

  /** Writes the pairs and histograms. @throws UserError when the disk is full. */
  async write(paths: StagePaths): Promise<void> {
    if (!this.#details) return;
    const { layers, experts, domains } = this.#summary;
    const values = Buffer.concat(this.#details.map((detail) => new Uint8Array(Float32Array.from(detail).buffer)));
    await writeFileAtomic(paths.routingDetail, values);
    const statistics = ["coActivation", "transitions", "histogram"];
    const index: RoutingDetailIndex = { version: 1, statistics, layers, experts, domains };
    await writeJson(paths.routingDetailIndex, index);
  }
}
