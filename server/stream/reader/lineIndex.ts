/** Where the lines of some rows begin in a file of lines: an entry for about every megabyte. */
export class LineIndex {
  #entries: { row: number; offset: number }[] = [];

  /** Row `row` and those after it are in the lines from `offset` on. Both must not be less than those before. */
  add(row: number, offset: number): void {
    this.#entries.push({ row, offset });
  }

  /** Discards what is known of rows after the first `rows`. */
  cut(rows: number): void {
    this.#entries = this.#entries.filter(({ row }) => row <= rows);
  }

  /** An offset from which on the lines of rows from `row` on are. */
  before(row: number): number {
    return this.#entries.findLast((entry) => entry.row <= row)?.offset ?? 0;
  }

  /** An offset before which the lines of the first `rows` rows are, undefined where the file's end is. */
  after(rows: number): number | undefined {
    return this.#entries.find((entry) => entry.row >= rows)?.offset;
  }
}
