import { type FileHandle, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openRegular } from "../../disk/open.ts";
import { firstAtLeast } from "../../protocol/ascending.ts";
import { readBytes, readCacheColumn, readCacheHeader, sampleOf, writeCache } from "./cache.ts";
import { Extremes } from "./extremes.ts";
import { GrowingValues } from "./growingValues.ts";
import { Means } from "./means.ts";
import { type ColumnName, columnNames, parseMetrics } from "./parse.ts";

/** Bytes parsed at once: a few hundredths of a second. */
const slice = 4 << 20;
/** Rows from which a cache pays off, and the growth factor after which it is rewritten. */
const cacheFrom = 200_000;
const cacheAgain = 1.5;

const stepColumn = columnNames.indexOf("step");

let generations = 0;
const nextGeneration = (): number => ++generations;

/** Values from row `start` on; those before it are in the cache only. */
interface Column {
  start: number;
  tail: GrowingValues;
  /** Whether it was requested and stays in memory. */
  used: boolean;
  extremes?: Extremes;
  means?: Means;
}

/** One column, with indexes for fast queries. */
export interface Series {
  values: Float64Array;
  extremes: Extremes;
  means: Means;
}

/** One `metrics.jsonl`, read as it grows, as columns. Calls must not overlap, except for `save`. */
export class MetricsFile {
  readonly path: string;
  readonly #cachePath: string;
  /** The recorded columns, by their index in `columnNames`. */
  #columns: (Column | undefined)[] = [];
  #rows = 0;
  #offset = 0;
  #size = 0;
  #inode = 0;
  #begun = false;
  /** Identifies the cache that holds the first rows of these columns. */
  #sample = "";
  /** Number of rows at which the cache is next written. */
  #saveAt = cacheFrom;
  #saving = false;
  #generation = nextGeneration();
  #revision = 0;

  constructor(path: string) {
    this.path = path;
    this.#cachePath = join(dirname(path), "metrics.cache");
  }

  get rows(): number {
    return this.#rows;
  }

  /** A new number whenever the rows change. */
  get revision(): number {
    return this.#revision;
  }

  /** A new number whenever rows are replaced; as long as it is the same, rows are only added. */
  get generation(): number {
    return this.#generation;
  }

  /** Bytes read and total. */
  get progress(): { done: number; bytes: number } {
    return { done: this.#offset, bytes: this.#size };
  }

  /** Columns that were recorded. */
  get recorded(): ColumnName[] {
    return columnNames.filter((_, index) => this.#columns[index]);
  }

  /**
   * Reads what was written since, until `deadline` (`performance.now()`) at the latest.
   * @returns whether all of it was read.
   */
  async read(deadline: number): Promise<boolean> {
    const lines = await openRegular(this.path).catch(() => undefined);
    if (!lines) {
      if (this.#rows > 0) this.#reset();
      return true;
    }
    try {
      await this.#begin(lines);
      for (;;) {
        const bytes = await readBytes(lines, this.#offset, Math.min(slice, this.#size - this.#offset));
        const read = parseMetrics(bytes, (values) => this.#add(values));
        this.#offset += read;
        if (read === 0 || this.#offset >= this.#size) return true;
        if (performance.now() > deadline) return false;
      }
    } finally {
      await lines.close();
    }
  }

  /** Checks before reading on that the file is still the same one. */
  async #begin(lines: FileHandle): Promise<void> {
    const { size, ino } = await lines.stat();
    const same =
      ino === this.#inode &&
      size >= this.#offset &&
      (this.#offset === 0 || (await readBytes(lines, this.#offset - 1, 1))[0] === 0x0a);
    if (!same) this.#reset();
    this.#inode = ino;
    this.#size = size;
    if (this.#begun) return;
    this.#begun = true;
    const header = await readCacheHeader(this.#cachePath, lines);
    if (!header) return;
    const { rows, offset, sample } = header;
    this.#sample = sample;
    this.#saveAt = Math.max(cacheFrom, rows * cacheAgain);
    this.#rows = rows;
    this.#offset = offset;
    this.#revision++;
    for (const name of header.columns)
      this.#columns[columnNames.indexOf(name)] = { start: rows, tail: new GrowingValues(), used: false };
    // Needed to notice steps that are repeated.
    await this.#load("step");
  }

  #reset(): void {
    this.#columns = [];
    this.#rows = 0;
    this.#offset = 0;
    this.#begun = false;
    this.#sample = "";
    this.#saveAt = cacheFrom;
    this.#generation = nextGeneration();
    this.#revision++;
  }

  /** Adds a row. It replaces rows of the same and later steps, which remain from before the stage was resumed. */
  #add(values: Float64Array): void {
    const step = values[stepColumn]!;
    const steps = this.#columns[stepColumn]?.tail;
    if (steps?.length && step <= steps.last) this.#cut(firstAtLeast(steps.values, step));
    for (let index = 0; index < columnNames.length; index++) {
      const column = this.#columns[index] ?? this.#newColumn(index, values[index]!);
      column?.tail.push(values[index]!);
    }
    this.#rows++;
    this.#revision++;
  }

  /** A column begins with the first row that has it. */
  #newColumn(index: number, value: number): Column | undefined {
    if (Number.isNaN(value)) return undefined;
    const column = { start: 0, tail: new GrowingValues(), used: index === stepColumn };
    column.tail.padTo(this.#rows);
    this.#columns[index] = column;
    return column;
  }

  #cut(rows: number): void {
    for (const column of this.#columns) {
      if (!column) continue;
      column.tail.cut(Math.max(0, rows - column.start));
      column.start = Math.min(column.start, rows);
      column.extremes?.cut(rows);
      column.means?.cut(rows);
    }
    this.#rows = rows;
    this.#generation = nextGeneration();
  }

  /** Loads a whole column into memory; undefined if it was never recorded. */
  async #load(name: ColumnName): Promise<Column | undefined> {
    const column = this.#columns[columnNames.indexOf(name)];
    if (!column) return undefined;
    column.used = true;
    if (column.start === 0) return column;
    const values = await readCacheColumn(this.#cachePath, this.#sample, name, 0, column.start);
    if (values) {
      column.tail.prepend(values);
      column.start = 0;
      return column;
    }
    // The cache is gone: everything is read again, from the lines.
    this.#reset();
    this.#begun = true;
    await this.read(Number.POSITIVE_INFINITY);
    return this.#columns[columnNames.indexOf(name)];
  }

  /** All values of a column; NaN where a row has none, undefined where no row has one. */
  async values(name: ColumnName): Promise<Float64Array | undefined> {
    return (await this.#load(name))?.tail.values;
  }

  /** The values of rows [from, to) of a column, which is not loaded into memory for that. */
  async range(name: ColumnName, from: number, to: number): Promise<Float64Array | undefined> {
    const column = this.#columns[columnNames.indexOf(name)];
    if (!column || from >= column.start) return column?.tail.values.subarray(from - column.start, to - column.start);
    const { start, tail } = column;
    const cached = await readCacheColumn(this.#cachePath, this.#sample, name, from, Math.min(to, start));
    if (!cached) return (await this.values(name))?.subarray(from, to);
    if (to <= start) return cached;
    const values = new Float64Array(to - from);
    values.set(cached);
    values.set(tail.values.subarray(0, to - start), cached.length);
    return values;
  }

  async series(name: ColumnName): Promise<Series | undefined> {
    const column = await this.#load(name);
    if (!column) return undefined;
    const { values } = column.tail;
    column.extremes ??= new Extremes();
    column.means ??= new Means();
    column.extremes.extend(values);
    column.means.extend(values);
    return { values, extremes: column.extremes, means: column.means };
  }

  /** Writes the cache if it pays off. If it cannot be written, reading works without it. */
  async save(): Promise<void> {
    const rows = this.#rows;
    if (this.#saving || rows < this.#saveAt) return;
    this.#saving = true;
    this.#saveAt = rows * cacheAgain;
    const generation = this.#generation;
    try {
      const sample = await this.#write(rows);
      if (this.#generation === generation) this.#lighten(rows, sample);
      else await rm(this.#cachePath, { force: true });
    } catch {
      // A disk that is full or may not be written.
    } finally {
      this.#saving = false;
    }
  }

  async #write(rows: number): Promise<string> {
    // All of one moment: rows may be added while the cache is written.
    const offset = this.#offset;
    const before = this.#sample;
    const columns = this.recorded;
    const tails = new Map(columns.map((name) => [name, this.#columns[columnNames.indexOf(name)]!.tail.values]));
    const lines = await openRegular(this.path);
    const sample = await sampleOf(lines, offset).finally(() => lines.close());
    await writeCache(this.#cachePath, { version: 1, rows, offset, sample, columns }, async (name) => {
      const tail = tails.get(name)!;
      if (tail.length === rows) return tail;
      const start = await readCacheColumn(this.#cachePath, before, name, 0, rows - tail.length);
      if (!start) throw new Error("the cache has gone");
      const whole = new Float64Array(rows);
      whole.set(start);
      whole.set(tail, start.length);
      return whole;
    });
    return sample;
  }

  /** Releases columns that nobody requested, now that the cache has them. */
  #lighten(rows: number, sample: string): void {
    this.#sample = sample;
    for (const column of this.#columns) {
      if (!column || (column.used && column.start === 0)) continue;
      const rest = column.tail.values.slice(rows - column.start);
      column.tail = new GrowingValues();
      for (const value of rest) column.tail.push(value);
      column.start = rows;
      delete column.extremes;
      delete column.means;
    }
  }
}
