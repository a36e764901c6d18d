import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Permutation } from "../../../server/data/permutation.ts";
import { Sampler, type SamplerOptions } from "../../../server/data/sampler.ts";
import { MixtureSchedule } from "../../../server/data/schedule.ts";
import { TokenFile } from "../../../server/data/tokenFile.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import { folderWith } from "./support.ts";

/** Domains whose tokens are counted from `first` on. */
function tokensOf(domains: Record<string, { first: number; length: number }>) {
  const folder = folderWith();
  const files = new Map<string, TokenFile>();
  for (const [name, { first, length }] of Object.entries(domains)) {
    const path = join(folder, name);
    writeFileSync(
      path,
      Uint16Array.from({ length }, (_, i) => first + i),
    );
    files.set(name, new TokenFile(path, { length, dtype: "u16", endOfText: 0, vocab: 65_536 }));
  }
  return { split: (domain: string) => files.get(domain)! };
}

const data = () =>
  tokensOf({
    code: { first: 0, length: 1000 },
    math: { first: 2000, length: 163 },
    prose: { first: 4000, length: 5000 },
  });
const options: SamplerOptions = { mixture: { prose: 3, code: 2, math: 1 }, batch: 4, context: 16, randomSeed: 5 };

test("a row is T + 1 successive tokens of its domain, beginning at a multiple of T", () => {
  const sampler = new Sampler(data(), options);
  const firsts: Record<string, number> = { code: 0, math: 2000, prose: 4000 };
  for (let step = 0; step < 50; step++) {
    const { windows, domains } = sampler.next();
    expect(windows.length).toBe(4 * 17);
    expect(domains.length).toBe(4);
    for (let row = 0; row < 4; row++) {
      const tokens = windows.subarray(row * 17, (row + 1) * 17);
      const start = tokens[0]! - firsts[domains[row]!]!;
      expect(start % 16).toBe(0);
      expect(start).toBeGreaterThanOrEqual(0);
      expect(Array.from(tokens, (token) => token - tokens[0]!)).toEqual(Array.from({ length: 17 }, (_, i) => i));
    }
  }
  expect(sampler.position).toBe(200);
});

test("going to a position gives the batches that would have followed there", () => {
  const whole = new Sampler(data(), options);
  const batches = Array.from({ length: 300 }, () => whole.next());
  const other = new Sampler(data(), options);
  for (const step of [250, 0, 1, 17, 299, 133]) {
    other.seek(step * 4);
    expect(other.position).toBe(step * 4);
    expect(other.next()).toEqual(batches[step]);
  }
});

test("the order is the same for other batch sizes and orders of the mixture's names, another for another seed", () => {
  const draw = (more: Partial<SamplerOptions>, batches: number) => {
    const sampler = new Sampler(data(), { ...options, ...more });
    return Array.from({ length: batches }, () => Array.from(sampler.next().windows)).flat();
  };
  const tokens = draw({}, 30);
  expect(draw({ batch: 12, mixture: { math: 1, code: 2, prose: 3 } }, 10)).toEqual(tokens);
  expect(draw({ randomSeed: 6 }, 30)).not.toEqual(tokens);
});

test("each epoch of a domain has every window once, in an order of its own", () => {
  const sampler = new Sampler(data(), { mixture: { math: 1 }, batch: 1, context: 16, randomSeed: 1 });
  const epochs = Array.from({ length: 4 }, () =>
    Array.from({ length: 10 }, () => (sampler.next().windows[0]! - 2000) / 16),
  );
  for (const epoch of epochs) expect([...epoch].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(new Set(epochs.map(String)).size).toBe(4);
});

test("domains come in proportion to their weights, over any stretch, and counts have a closed form", () => {
  const weights = [0.5, 0.3, 0.15, 0.05];
  const schedule = new MixtureSchedule(
    weights.map((weight) => 7 * weight),
    123_456_789,
  );
  const counts = [0, 0, 0, 0];
  let furthest = 0;
  for (let position = 0; position < 20_000; position++) {
    if (position % 997 === 0) expect(schedule.countsBefore(position)).toEqual(counts);
    const domain = schedule.domainAt(position);
    counts[domain] = counts[domain]! + 1;
    for (const [i, weight] of weights.entries()) {
      furthest = Math.max(furthest, Math.abs(counts[i]! - weight * (position + 1)));
    }
  }
  expect(furthest).toBeLessThan(5);
  for (const position of [1e8, 2 ** 33 + 1, 1e12]) {
    const far = schedule.countsBefore(position);
    expect(far.reduce((sum, count) => sum + count, 0)).toBe(position);
    for (const [i, weight] of weights.entries()) expect(far[i]! / position).toBeCloseTo(weight, 6);
    const next = schedule.countsBefore(position + 1);
    expect(next.findIndex((count, i) => count > far[i]!)).toBe(schedule.domainAt(position));
  }
});

test("a position of a hundred million is reached at once and goes on as if drawn up to there", () => {
  const sampler = new Sampler(data(), options);
  sampler.seek(1e8);
  const there = [sampler.next(), sampler.next()];
  sampler.seek(1e8 + 4);
  expect(sampler.next()).toEqual(there[1]);
  expect(() => sampler.seek(-1)).toThrow(RangeError);
});

test("a shuffle of any length has every index once", () => {
  for (const length of [1, 2, 3, 5, 16, 17, 1000, 4097]) {
    const permutation = new Permutation(length, `key ${length}`);
    const values = Array.from({ length }, (_, i) => permutation.at(i));
    expect([...values].sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, i) => i));
  }
  const large = new Permutation(2 ** 32, "large");
  expect(new Set([0, 1, 2 ** 31, 2 ** 32 - 1].map((i) => large.at(i))).size).toBe(4);
  const shuffled = Array.from({ length: 1000 }, (_, i) => new Permutation(1000, "key").at(i));
  const moved = shuffled.reduce((sum, value, i) => sum + Math.abs(value - i), 0) / 1000;
  expect(moved).toBeGreaterThan(250);
  expect(moved).toBeLessThan(420);
});

test("a domain with less text than one window is refused by name, with its tokens and the context", () => {
  const short = tokensOf({ tiny: { first: 0, length: 16 } });
  const make = (context: number) => new Sampler(short, { mixture: { tiny: 1 }, batch: 1, context, randomSeed: 1 });
  expect(() => make(16)).toThrow(UserError);
  expect(() => make(16)).toThrow('the domain "tiny" has 16 training tokens, fewer than one context of 16');
  expect(Array.from(make(15).next().windows)).toEqual(Array.from({ length: 16 }, (_, i) => i));
});
