import { describe, expect, it } from "vitest";
import { studentPoint } from "../../../server/compare/student.ts";

/** Mass of Student's t within +-x, by Simpson's rule on its density, which is scaled by its own integral. */
function massWithin(x: number, degrees: number): number {
  const density = (t: number) => (1 + (t * t) / degrees) ** (-(degrees + 1) / 2);
  // t = tan(u) maps the whole line to (-pi/2, pi/2).
  const integral = (to: number) => {
    const steps = 20_000;
    const f = (u: number) => density(Math.tan(u)) / Math.cos(u) ** 2;
    let sum = f(0) + f(to);
    for (let i = 1; i < steps; i++) sum += (i % 2 ? 4 : 2) * f((i * to) / steps);
    return (sum * to) / steps / 3;
  };
  return integral(Math.atan(x)) / integral(Math.PI / 2 - 1e-9);
}

describe("studentPoint", () => {
  it.each([1, 2, 3, 4, 7, 12, 22, 30])("leaves 5 % outside, with %d degrees of freedom", (degrees) => {
    expect(massWithin(studentPoint(degrees), degrees)).toBeCloseTo(0.95, 3);
  });

  it("rounds degrees of freedom down, and is that of 30 above", () => {
    expect(studentPoint(2.9)).toBe(studentPoint(2));
    expect(studentPoint(1000)).toBe(studentPoint(30));
  });
});
