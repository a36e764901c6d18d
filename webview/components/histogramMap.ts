import { extremes, linearScale } from "./colorScale.ts";
import type { Cells } from "./drawCells.ts";
import { cellText, percent } from "./format.ts";
import type { Cell } from "./heat-map.ts";

/**
 * Tokens by router probability as a map: one row per expert, in this order from the top, and one column per bin.
 *
 * @param histogram shares of the tokens [experts, bins], bins of equal width from 0 to 1.
 */
export function histogramMap(
  histogram: Float32Array,
  experts: readonly { name: string }[],
  order: readonly number[],
): { cells: Cells; describe(cell: Cell): string } {
  const bins = histogram.length / experts.length;
  const from = (bin: number) => `${Math.round((100 * bin) / bins)}`;
  const values = new Float32Array(order.length * bins);
  for (const [place, expert] of order.entries())
    values.set(histogram.subarray(expert * bins, (expert + 1) * bins), place * bins);
  const columns = Array.from({ length: bins }, (_, bin) => `${from(bin)}–${from(bin + 1)}`);
  const cells: Cells = {
    values,
    rows: order.map((expert) => experts[expert]!.name),
    columns,
    order: columns.map((_, bin) => bin),
    scale: linearScale(extremes(values)[1]),
    text: cellText,
  };
  const describe = ({ row, column }: Cell) =>
    `expert ${cells.rows[row]}: probability ${columns[column]} % for ${percent(values[row * bins + column]!)} of the tokens`;
  return { cells, describe };
}
