import type { WriteValues } from "./cache.ts";
import { GrowingValues } from "./growingValues.ts";
import { type ColumnName, columnNames } from "./parse.ts";

/** Rows as they come from lines, collected column by column until they are written. */
export class RowBatches {
  readonly #columns: { name: ColumnName; index: number }[];
  /** Consecutive rows from `first` on each, in the order in which they came. */
  #batches: { first: number; values: GrowingValues[] }[] = [];
  /** Memory of batches that were written, for the next ones. */
  #spare: GrowingValues[][] = [];

  constructor(columns: readonly ColumnName[]) {
    this.#columns = columns.map((name) => ({ name, index: columnNames.indexOf(name) }));
  }

  /** @param values in the order of `columnNames` */
  add(row: number, values: Float64Array): void {
    let batch = this.#batches.at(-1);
    if (!batch || batch.first + batch.values[0]!.length !== row) {
      batch = { first: row, values: this.#spare.pop() ?? this.#columns.map(() => new GrowingValues()) };
      this.#batches.push(batch);
    }
    for (const [at, { index }] of this.#columns.entries()) batch.values[at]!.push(values[index]!);
  }

  async flush(write: WriteValues): Promise<void> {
    const batches = this.#batches;
    this.#batches = [];
    for (const { first, values } of batches) {
      for (const [at, { name }] of this.#columns.entries()) await write(name, first, values[at]!.values);
      for (const column of values) column.cut(0);
      this.#spare.push(values);
    }
  }
}
