import { describe, expect, test } from "vitest";
import { randomStream } from "../../../server/model/random.ts";

const draw = <T>(count: number, next: () => T): T[] => Array.from({ length: count }, next);

describe("randomStream", () => {
  test("gives the same numbers for the same seed and name, and others for another seed or name", () => {
    const first = (seed: number, name: string) => draw(5, randomStream(seed, name).bits);
    expect(first(1, "a")).toEqual(first(1, "a"));
    const streams = [first(1, "a"), first(1, "b"), first(2, "a"), first(11, "a"), first(-1, "a")];
    expect(new Set(streams.flat()).size).toBe(25);
  });

  test("keeps the numbers that runs were made with", () => {
    expect(draw(4, randomStream(42, "model.norm.weight").bits)).toEqual([
      2453549343, 3410629485, 4027242947, 2611994717,
    ]);
  });

  test("draws normals of mean 0 and deviation 1, and uniforms between 0 and 1", () => {
    const { normal, uniform } = randomStream(7, "normals");
    const normals = draw(20_000, normal);
    const moment = (power: number) => normals.reduce((sum, x) => sum + x ** power, 0) / normals.length;
    expect(moment(1)).toBeCloseTo(0, 1);
    expect(moment(2)).toBeCloseTo(1, 1);
    expect(moment(3)).toBeCloseTo(0, 0);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.3);
    const uniforms = draw(20_000, uniform);
    expect(uniforms.every((x) => x > 0 && x < 1)).toBe(true);
    expect(uniforms.reduce((sum, x) => sum + x, 0) / uniforms.length).toBeCloseTo(0.5, 1);
  });
});
