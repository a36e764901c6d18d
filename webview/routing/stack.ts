/** Shares of experts over time, one on the other. */

/** An expert's area: its lower and upper edge at each point, shares of a layer's tokens from below. */
export interface Area {
  expert: number;
  lower: Float32Array;
  upper: Float32Array;
}

/** @param shares [points, experts]. @param order of experts, from below. */
export function stacked(shares: Float32Array, experts: number, order: readonly number[]): Area[] {
  const points = shares.length / experts;
  let edge = new Float32Array(points);
  return order.map((expert) => {
    const lower = edge;
    const upper = new Float32Array(points);
    for (let point = 0; point < points; point++) upper[point] = lower[point]! + (shares[point * experts + expert] || 0);
    edge = upper;
    return { expert, lower, upper };
  });
}
