import { describe, expect, it } from "vitest";
import { cellMeasureSchema } from "../../../server/protocol/measures.ts";
import { cells, layerRows, meanExperts, pairShares, type RoutingCounts } from "../../../server/routing/measures.ts";
import { probeLayout } from "../../../server/routing/records.ts";
import { probeSaturation } from "../../../server/routing/saturation.ts";
import { seeded } from "../../fixtures/random.ts";

/** Tokens that were routed by chance, one by one, and what is counted of them. */
const [L, D, E, K] = [2, 3, 5, 2];

interface Token {
  domain: number;
  /** By layer: experts in order, gates, softmax; the last choice was dropped. */
  layers: { experts: number[]; gates: number[]; softmax: number[]; dropped: boolean }[];
}

function tokens(count: number): Token[] {
  const random = seeded(7);
  return Array.from({ length: count }, () => ({
    domain: Math.floor(random() * D),
    layers: Array.from({ length: L }, () => {
      const logits = Array.from({ length: E }, () => Math.exp(3 * random()));
      const sum = logits.reduce((total, one) => total + one, 0);
      const softmax = logits.map((one) => one / sum);
      const order = softmax.map((_, expert) => expert).sort((a, b) => softmax[b]! - softmax[a]!);
      const experts = order.slice(0, K);
      const kept = experts.reduce((total, expert) => total + softmax[expert]!, 0);
      return { experts, gates: experts.map((expert) => softmax[expert]! / kept), softmax, dropped: random() < 0.2 };
    }),
  }));
}

function counted(all: readonly Token[]): RoutingCounts {
  const zeros = () => new Float64Array(L * D * E);
  const [routedTokens, gateMass, probability, droppedTokens] = [zeros(), zeros(), zeros(), zeros()];
  const entropy = new Float64Array(L * D);
  for (const { domain, layers } of all)
    for (const [layer, { experts, gates, softmax, dropped }] of layers.entries()) {
      const row = layer * D + domain;
      for (const [at, expert] of experts.entries()) {
        if (dropped && at === K - 1) droppedTokens[row * E + expert]! += 1;
        else {
          routedTokens[row * E + expert]! += 1;
          gateMass[row * E + expert]! += gates[at]!;
        }
      }
      for (const [expert, p] of softmax.entries()) {
        probability[row * E + expert]! += p;
        entropy[row]! -= p * Math.log(p);
      }
    }
  return { shape: [L, D, E], statistics: { routedTokens, gateMass, probability, droppedTokens, entropy }, k: [K, K] };
}

/** Those that are means over tokens. */
const means = cellMeasureSchema.exclude(["vocabularyInput", "vocabularyPredicted"]);
const all = tokens(400);
const counts = counted(all);
const mean = (values: number[]) => values.reduce((total, one) => total + one, 0) / values.length;

describe("the measures of routing", () => {
  it("are those of the tokens, one by one, for each domain, layer and expert and for all domains", () => {
    const one = (layer: number, expert: number, token: Token) => {
      const { experts, gates, softmax, dropped } = token.layers[layer]!;
      const at = experts.indexOf(expert);
      const goes = at >= 0 && !(dropped && at === K - 1);
      return {
        routedShare: goes ? 1 / K : 0,
        gateMass: goes ? gates[at]! : 0,
        probability: softmax[expert]!,
        domainSpecialisation: goes ? 1 : 0,
        droppedShare: at >= 0 && !goes ? 1 / K : 0,
      };
    };
    for (const measure of means.options) {
      const values = cells(counts, measure);
      expect(values).toHaveLength((D + 1) * L * E);
      for (let domain = 0; domain <= D; domain++) {
        const those = all.filter((token) => domain === D || token.domain === domain);
        for (let layer = 0; layer < L; layer++)
          for (let expert = 0; expert < E; expert++)
            expect(values[(domain * L + layer) * E + expert]).toBeCloseTo(
              mean(those.map((token) => one(layer, expert, token)[measure])),
              5,
            );
      }
    }
  });

  it("of layers are entropy, and how uneven the load of each domain is", () => {
    const rows = layerRows(counts);
    expect(rows).toHaveLength(D + 1);
    for (const [domain, row] of rows.entries()) {
      const those = all.filter((token) => domain === D || token.domain === domain);
      for (let layer = 0; layer < L; layer++) {
        const load = Array.from(
          { length: E },
          (_, expert) => those.filter((token) => token.layers[layer]!.experts.includes(expert)).length,
        );
        const average = (those.length * K) / E;
        const deviation = Math.sqrt(mean(load.map((one) => (one - average) ** 2)));
        const entropy = mean(
          those.map(({ layers }) => -layers[layer]!.softmax.reduce((sum, p) => sum + p * Math.log(p), 0)),
        );
        expect(row.imbalance?.[layer]).toBeCloseTo(Math.max(...load) / average, 9);
        expect(row.variation?.[layer]).toBeCloseTo(deviation / average, 9);
        expect(row.entropy?.[layer]).toBeCloseTo(entropy, 9);
      }
    }
  });

  it("of pairs are shares of an expert's tokens, and of the choices that follow it", () => {
    const [together, next] = [new Float64Array(L * E * E), new Float64Array((L - 1) * E * E)];
    for (const { layers } of all)
      for (const [layer, { experts }] of layers.entries())
        for (const a of experts) {
          for (const b of experts) together[(layer * E + a) * E + b]! += 1;
          for (const b of layers[layer + 1]?.experts ?? []) next[(layer * E + a) * E + b]! += 1;
        }
    const [co, follows] = [pairShares(together, "coActivation", E), pairShares(next, "transitions", E)];
    for (let a = 0; a < E; a++)
      for (let b = 0; b < E; b++) {
        for (let layer = 0; layer < L; layer++) {
          const chose = all.filter(({ layers }) => layers[layer]!.experts.includes(a));
          const both = chose.filter(({ layers }) => layers[layer]!.experts.includes(b));
          expect(co[(layer * E + a) * E + b]).toBeCloseTo(both.length / chose.length, 6);
        }
        const chose = all.filter(({ layers }) => layers[0]!.experts.includes(a));
        const then = chose.filter(({ layers }) => layers[1]!.experts.includes(b));
        expect(follows[a * E + b]).toBeCloseTo(then.length / chose.length / K, 6);
      }
  });

  it("of saturation are the shares of a token's last experts that it had before, one by one", () => {
    const random = seeded(9);
    const [counts, layers] = [
      [4, 0, 3],
      [1, 5],
    ];
    /** [probe][domain][layer][token]: experts; the second of every fourth token is none. */
    const probes = Array.from({ length: 3 }, () =>
      counts.map((count) =>
        layers.map(() =>
          Array.from({ length: count }, (_, token) => {
            const first = Math.floor(random() * E);
            return [first, token % 4 === 3 ? -1 : (first + 1 + Math.floor(random() * (E - 1))) % E];
          }),
        ),
      ),
    );
    const axes = { version: 1 as const, experts: [], every: 1 };
    const index = { ...axes, layers, domains: ["a", "b", "c"], tokens: counts, k: K };
    const file = { index, layout: probeLayout(index) };
    const values = probeSaturation(
      probes.map((probe) => probe.flat(3)),
      file,
    );
    const rows = counts.length + 1;
    for (const [at, probe] of probes.entries())
      for (const layer of [0, 1])
        for (let row = 0; row < rows; row++) {
          const chosen = (of: typeof probe) =>
            of.flatMap((domain, index) => (row === index || row === counts.length ? domain[layer]! : []));
          const [now, last] = [chosen(probe), chosen(probes[2]!)];
          let [same, all] = [0, 0];
          for (const [token, experts] of last.entries())
            for (const expert of experts.filter((one) => one >= 0)) {
              all++;
              if (now[token]!.includes(expert)) same++;
            }
          const value = values[(at * 2 + layer) * rows + row];
          if (all === 0) expect(value).toBeNaN();
          else expect(value).toBeCloseTo(same / all, 6);
        }
    expect([...values.slice(-2 * rows)]).toEqual([1, Number.NaN, 1, 1, 1, Number.NaN, 1, 1]);
    expect(probeSaturation([], file)).toHaveLength(0);
  });

  it("divide by the tokens that were counted, whatever number of experts each went to", () => {
    // Three tokens of one domain, which go to 1, 2 and 3 of at most 3 experts; of another one two, which go to one.
    const counts: RoutingCounts = {
      shape: [1, 2, 3],
      statistics: { routedTokens: [3, 2, 1, 0, 2, 0], gateMass: [1.5, 1, 0.5, 0, 2, 0], tokens: [3, 2] },
      k: [3],
    };
    const rounded = (values: Float32Array) => [...values].map((value) => Number(value.toFixed(4)));
    expect(rounded(cells(counts, "domainSpecialisation"))).toEqual([1, 0.6667, 0.3333, 0, 1, 0, 0.6, 0.8, 0.2]);
    expect(rounded(cells(counts, "routedShare"))).toEqual([0.5, 0.3333, 0.1667, 0, 1, 0, 0.375, 0.5, 0.125]);
    expect(rounded(cells(counts, "gateMass"))).toEqual([0.5, 0.3333, 0.1667, 0, 1, 0, 0.3, 0.6, 0.1]);
    expect([...meanExperts(counts)]).toEqual([2, 1]);
  });

  it("of a mean number of experts count those that a token went to, and not those that dropped it", () => {
    const went = (layer: number, domain: number) =>
      all
        .filter((token) => token.domain === domain)
        .map(({ layers }) => layers[layer]!.experts.length - (layers[layer]!.dropped ? 1 : 0));
    const means = meanExperts(counts);
    for (let layer = 0; layer < L; layer++)
      for (let domain = 0; domain < D; domain++)
        expect(means[layer * D + domain]).toBeCloseTo(mean(went(layer, domain)), 9);
  });

  it("are 0 where a domain had no tokens and an expert none", () => {
    const empty: RoutingCounts = {
      shape: [1, 1, 2],
      statistics: { routedTokens: [0, 0], gateMass: [0, 0], entropy: [0] },
      k: [1],
    };
    for (const measure of cellMeasureSchema.options) expect([...cells(empty, measure)]).toEqual([0, 0, 0, 0]);
    expect(layerRows(empty)[0]).toEqual({ entropy: [0], imbalance: [0], variation: [0] });
    expect([...pairShares([0, 0, 0, 0], "coActivation", 2)]).toEqual([0, 0, 0, 0]);
  });
});
