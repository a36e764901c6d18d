/** Two-sided 5 % points of Student's t for 1 to 30 degrees of freedom. */
const points = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/**
 * How many standard errors a difference must have to be called one at the 5 % level. Degrees of freedom are rounded down;
 * above 30 the value is that of 30, at most 4 % too strict.
 */
export const studentPoint = (degrees: number): number =>
  points[Math.min(points.length, Math.max(1, Math.floor(degrees))) - 1]!;
