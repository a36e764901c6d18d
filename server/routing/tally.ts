import { writeFileAtomic, writeJson } from "../disk/atomic.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { RoutingDetailIndex, RoutingSummary } from "../protocol/routingFiles.ts";
import { axesOf, countedIn, needsDrops, type RoutingStatistic } from "../protocol/routingStatistics.ts";
import type { StagePaths } from "../runs/layout.ts";
import { detailLayout, ofDomain, type RecordLayout, sizeOf } from "./records.ts";
import { keptTokens, type RoutedBatch, type RoutedWindow, routedWindows } from "./routedWindows.ts";
import { summaryOf } from "./summary.ts";
import { followedStatistics } from "./vocabularySpecialisation.ts";

/** Maximum size of `routing-detail.f32`, bytes; nothing is written above that. */
const maxDetailBytes = 256 << 20;

/** Results of a program, by name. */
type Results = Readonly<Record<string, ArrayLike<number>>>;

function add(sums: Float64Array, values: ArrayLike<number>): void {
  for (let at = 0; at < sums.length; at++) sums[at]! += values[at]!;
}

/**
 * Sums the routing statistics of an evaluation: those of its result, and the pairs and histograms of each domain. Keeps
 * the choices of each token for the statistics that follow tokens.
 */
export class RoutingTally {
  readonly #config: ModelConfig;
  readonly #names: Pick<RoutingSummary, "layers" | "experts" | "domains">;
  readonly #sums: Map<RoutingStatistic, Float64Array>;
  /** Held-out tokens of each domain so far. */
  readonly #tokens: number[];
  readonly #windows: RoutedWindow[] = [];
  readonly #detailIndex: RoutingDetailIndex;
  readonly #detailLayout: RecordLayout<RoutingStatistic>;
  /** A record for each domain; absent if they would be too large. */
  readonly #details: Float64Array[] | undefined;

  /** @param config of a Mixture-of-Experts. */
  constructor(config: ModelConfig, domains: string[]) {
    this.#config = config;
    const { layers = [], experts = [] } = config.moe ?? {};
    this.#names = { layers, experts, domains };
    this.#tokens = domains.map(() => 0);
    const always = countedIn("summary").filter((name) => !needsDrops(name) && name !== "tokens");
    this.#sums = new Map([...always, "tokens" as const].map((name) => [name, this.#zeros(name)]));
    this.#detailIndex = { version: 1, statistics: countedIn("detail"), ...this.#names };
    this.#detailLayout = detailLayout(this.#detailIndex);
    const { size } = this.#detailLayout;
    if (domains.length * size * 4 <= maxDetailBytes) this.#details = domains.map(() => new Float64Array(size));
  }

  /** Adds the results of the program `evaluation` for a batch of one domain. */
  add(batch: RoutedBatch & { domainIndex: number }, results: Results): void {
    const domain = batch.domainIndex;
    for (const name of countedIn("summary")) {
      const values = results[name];
      if (!values) continue;
      const sums = this.#sums.get(name) ?? this.#zeros(name);
      this.#sums.set(name, sums);
      add(sums, values);
    }
    this.#addDetail(domain, results);
    this.#tokens[domain] = this.#sums.get("tokens")?.[domain] ?? 0;
    if (this.#tokens[domain] <= keptTokens(this.#config, this.#tokens.length))
      this.#windows.push(...routedWindows(this.#config, batch, results));
  }

  summary(): RoutingSummary {
    const followed = followedStatistics(this.#windows, this.#config, this.#names.domains);
    return summaryOf({ ...Object.fromEntries(this.#sums), ...followed }, this.#names);
  }

  /** Writes the pairs and histograms. @throws UserError if the disk is full */
  async write(paths: StagePaths): Promise<void> {
    if (!this.#details) return;
    const values = Buffer.concat(this.#details.map((detail) => new Uint8Array(Float32Array.from(detail).buffer)));
    await writeFileAtomic(paths.routingDetail, values);
    await writeJson(paths.routingDetailIndex, this.#detailIndex);
  }

  #zeros(name: RoutingStatistic): Float64Array {
    return new Float64Array(sizeOf(axesOf(name), this.#names));
  }

  #addDetail(domain: number, results: Results): void {
    const detail = this.#details?.[domain];
    if (!detail) return;
    for (const { name, start, length } of this.#detailLayout.blocks) {
      const values = results[name];
      if (values) add(detail.subarray(start, start + length), ofDomain(values, axesOf(name), this.#names, domain));
    }
  }
}
