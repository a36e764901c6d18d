import { expect, test } from "vitest";
import { drawsExperts, gumbelNoise, joinNoise, noiseShape } from "../../../server/model/noise.ts";
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
