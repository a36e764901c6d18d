import { expect, test } from "vitest";
import { drawsExperts, generationNoise, gumbelNoise, joinNoise, noiseShape } from "../../../server/model/noise.ts";
import { addRouter } from "../../../server/routers/index.ts";
import { models } from "./support.ts";

const config = models["sampled top-1 routing"]!;

test("noise depends on the seed of random numbers and the step, and on nothing else", () => {
  const noise = gumbelNoise(config, 5, 1, 7);
  expect(noise).toHaveLength(2 * 5 * 3);
  expect(noise).toEqual(gumbelNoise(config, 5, 1, 7));
  expect(noise).not.toEqual(gumbelNoise(config, 5, 1, 8));
  expect(noise).not.toEqual(gumbelNoise(config, 5, 2, 7));
});

test("noise follows the standard Gumbel distribution", () => {
  const noise = gumbelNoise(config, 4000, 1, 1);
  expect(noise.every(Number.isFinite)).toBe(true);
  const mean = noise.reduce((sum, x) => sum + x, 0) / noise.length;
  const variance = noise.reduce((sum, x) => sum + (x - mean) ** 2, 0) / noise.length;
  // Euler's constant and pi^2 / 6, within five standard errors of 24,000 draws.
  expect(Math.abs(mean - 0.57722)).toBeLessThan(0.042);
  expect(Math.abs(variance - Math.PI ** 2 / 6)).toBeLessThan(0.13);
  const below = noise.filter((x) => x < 0).length / noise.length;
  expect(Math.abs(below - Math.exp(-1))).toBeLessThan(0.016);
});

test("noise of several texts is joined layer by layer", () => {
  const [a, b] = [gumbelNoise(config, 2, 1, 1), gumbelNoise(config, 3, 1, 2)];
  const joined = joinNoise(config, [a, b]);
  expect(joined).toHaveLength(2 * 5 * 3);
  expect([...joined]).toEqual([...a.slice(0, 6), ...b.slice(0, 9), ...a.slice(6), ...b.slice(9)]);
});

test("only routers that draw need noise", () => {
  expect(Object.keys(models).filter((name) => drawsExperts(models[name]!))).toEqual(["sampled top-1 routing"]);
  expect(noiseShape(config, 5)).toEqual([2, 5, 3]);
});

test.each([
  ["sequence", 3],
  ["pass", 1],
] as const)("a router that draws for a %s gives its tokens the same numbers", (draws, different) => {
  const type = `draws for a ${draws}`;
  addRouter(type, {
    traits: { expertsPerToken: () => 1, drops: false, draws },
    declaration: {},
    make: () => ({
      route() {
        throw new Error("not run here");
      },
    }),
  });
  const { moe } = config;
  const drawing = { ...config, moe: { ...moe!, router: { ...moe!.router, type } as never } };
  const [layers, tokens, experts] = [moe!.layers.length, 6, moe!.experts.length];
  const noise = gumbelNoise(drawing, tokens, 1, 7, 3);
  expect(noise).toHaveLength(layers * tokens * experts);
  for (let layer = 0; layer < layers; layer++) {
    const rows = Array.from({ length: tokens }, (_, n) =>
      noise.subarray((layer * tokens + n) * experts, (layer * tokens + n + 1) * experts).join(),
    );
    expect(new Set(rows).size).toBe(different);
    for (const n of [0, 2, 4]) expect(rows[n]).toBe(rows[n + 1]);
  }
  expect(generationNoise(drawing, 1, 1, 5)).toEqual(generationNoise(drawing, 1, 1, 9));
  expect(generationNoise(config, 1, 1, 5)).not.toEqual(generationNoise(config, 1, 1, 9));
});
