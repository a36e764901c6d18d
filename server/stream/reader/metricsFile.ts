import { type FileHandle, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openRegular } from "../../disk/open.ts";
import { firstAtLeast } from "../../protocol/ascending.ts";
import {
  type CacheHeader,
  fill,
  readBytes,
  readCacheColumn,
  readCacheHeader,
  sampleOf,
  type WriteValues,
  writeCache,
} from "./cache.ts";
import { Extremes } from "./extremes.ts";
import { GrowingValues } from "./growingValues.ts";
import { LineIndex } from "./lineIndex.ts";
import { Means } from "./means.ts";
import { type ColumnName, columnNames, parseMetrics } from "./parse.ts";
import { RowBatches } from "./rowBatches.ts";

/** Bytes parsed at once: about a hundredth of a second. */
const slice = 1 << 20;
/** Rows from which a cache pays off, and the growth factor after which it is rewritten. */
const cacheFrom = 200_000;
const cacheAgain = 1.5;
/** Rows that are copied at once from one cache to the next. */
const copied = 1 << 16;

/** Memory for a slice that nobody uses at the moment; in an export, a new one for each would be garbage. */
let spareSlice: Buffer | undefined;

const stepColumn = columnNames.indexOf("step");

let generations = 0;
const nextGeneration = (): number => ++generations;

/** A column in memory, with indexes for fast queries once they are needed. */
interface Column {
  values: GrowingValues;
  extremes?: Extremes;
  means?: Means;
}

/** One column, with indexes for fast queries. */
export interface Series {
  values: Float64Array;
  extremes: Extremes;
  means: Means;
}

/**
 * One `metrics.jsonl`, read as it grows, as columns. Only the steps and the columns that were asked for are in memory;
 * the others are read again, from the cache and from the lines after it. Calls must not overlap, except for `save`.
 */
export class MetricsFile {
  readonly path: string;
  readonly #cachePath: string;
  #steps = new GrowingValues();
  /** By index in `columnNames`: whether a column was recorded, whether it was asked for, and its values in memory. */
  readonly #recorded = columnNames.map(() => false);
  readonly #wanted = columnNames.map(() => false);
  #columns: (Column | undefined)[] = [];
  #index = new LineIndex();
  #offset = 0;
  #size = 0;
  #inode = 0;
  #begun = false;
  /** The cache has these rows; `sample` identifies it. */
  #cached = { rows: 0, sample: "" };
  /** Number of rows at which the cache is next written. */
  #saveAt = cacheFrom;
  #saving = false;
  #generation = nextGeneration();
  #revision = 0;

  constructor(path: string) {
    this.path = path;
    this.#cachePath = join(dirname(path), "metrics.cache");
    this.#reset();
  }

  get rows(): number {
    return this.#steps.length;
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
    return columnNames.filter((_, index) => this.#recorded[index]);
  }

  /** Bytes of memory that its values and indexes take. */
  get bytesHeld(): number {
    const held = this.#columns.map((column) =>
      column ? column.values.bytes + (column.extremes?.bytes ?? 0) + (column.means?.bytes ?? 0) : 0,
    );
    return held.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Has these columns kept in memory as they are read, so that they need not be read again. */
  want(names: readonly ColumnName[]): void {
    for (const name of names) this.#wanted[columnNames.indexOf(name)] = true;
  }

  /**
   * Reads what was written since, until `deadline` (`performance.now()`) at the latest.
   * @returns whether all of it was read.
   */
  async read(deadline: number): Promise<boolean> {
    const lines = await openRegular(this.path).catch(() => undefined);
    if (!lines) {
      if (this.rows > 0) this.#reset();
      return true;
    }
    try {
      await this.#begin(lines);
      for (;;) {
        const bytes = await readBytes(lines, this.#offset, Math.min(slice, this.#size - this.#offset));
        if (bytes.length === slice) this.#index.add(this.rows, this.#offset);
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
    const steps = header && (await readCacheColumn(this.#cachePath, header.sample, "step", 0, header.rows));
    if (steps) this.#take(header, steps);
  }

  /** Begins with the rows of the cache. */
  #take({ rows, offset, sample, columns }: CacheHeader, steps: Float64Array<ArrayBuffer>): void {
    this.#cached = { rows, sample };
    this.#saveAt = Math.max(cacheFrom, rows * cacheAgain);
    this.#offset = offset;
    this.#index.add(rows, offset);
    this.#steps.prepend(steps);
    for (const name of columns) this.#recorded[columnNames.indexOf(name)] = true;
    this.#revision++;
  }

  #reset(): void {
    this.#steps = new GrowingValues();
    this.#columns = [];
    this.#columns[stepColumn] = { values: this.#steps };
    this.#recorded.fill(false);
    this.#index = new LineIndex();
    this.#offset = 0;
    this.#begun = false;
    this.#cached = { rows: 0, sample: "" };
    this.#saveAt = cacheFrom;
    this.#generation = nextGeneration();
    this.#revision++;
  }

  /** Adds a row. It replaces rows of the same and later steps, which remain from before the stage was resumed. */
  #add(values: Float64Array): void {
    const step = values[stepColumn]!;
    if (this.rows > 0 && step <= this.#steps.last) this.#cut(firstAtLeast(this.#steps.values, step));
    const rows = this.rows;
    for (let index = 0; index < columnNames.length; index++) {
      const value = values[index]!;
      if (!this.#recorded[index] && !Number.isNaN(value)) this.#begins(index, rows);
      this.#columns[index]?.values.push(value);
    }
    this.#revision++;
  }

  /** A column is recorded for the first time, in the row after so many. */
  #begins(index: number, rows: number): void {
    this.#recorded[index] = true;
    if (!this.#wanted[index] || this.#columns[index]) return;
    const values = new GrowingValues();
    values.padTo(rows);
    this.#columns[index] = { values };
  }

  #cut(rows: number): void {
    for (const column of this.#columns) {
      column?.values.cut(rows);
      column?.extremes?.cut(rows);
      column?.means?.cut(rows);
    }
    this.#index.cut(rows);
    this.#cached.rows = Math.min(this.#cached.rows, rows);
    this.#generation = nextGeneration();
  }

  /** A whole column, in memory; undefined if it was never recorded. */
  async #load(name: ColumnName): Promise<Column | undefined> {
    const index = columnNames.indexOf(name);
    this.#wanted[index] = true;
    if (!this.#recorded[index]) return undefined;
    if (!this.#columns[index]) {
      const values = new GrowingValues();
      values.prepend(await this.#read(name, 0, this.rows));
      // Where the cache is gone everything was read again, this column too.
      this.#columns[index] ??= { values };
    }
    return this.#columns[index];
  }

  /** The values of rows [from, to) of a column that is not in memory. */
  async #read(name: ColumnName, from: number, to: number): Promise<Float64Array<ArrayBuffer>> {
    const index = columnNames.indexOf(name);
    const values = new Float64Array(to - from).fill(Number.NaN);
    const cachedTo = Math.min(to, this.#cached.rows);
    if (from < cachedTo) {
      const cached = await readCacheColumn(this.#cachePath, this.#cached.sample, name, from, cachedTo);
      if (!cached) {
        // The cache is gone: everything is read again, from the lines.
        this.#reset();
        this.#begun = true;
        await this.read(Number.POSITIVE_INFINITY);
        return this.#columns[index]?.values.values.slice(from, to) ?? this.#read(name, from, to);
      }
      values.set(cached);
    }
    await this.#eachRow(Math.max(from, cachedTo), to, (row, all) => {
      values[row - from] = all[index]!;
    });
    return values;
  }

  /**
   * Reads the lines of rows [from, to) again. A row whose line was written more than once is passed on as often; the
   * last time counts. `pause` is awaited after each slice.
   */
  async #eachRow(
    from: number,
    to: number,
    take: (row: number, values: Float64Array) => void,
    pause: () => Promise<void> = async () => {},
  ): Promise<void> {
    if (from >= to) return;
    const steps = this.#steps.values;
    let offset = this.#index.before(from);
    const end = this.#index.after(to) ?? this.#offset;
    const buffer = spareSlice ?? Buffer.alloc(slice);
    spareSlice = undefined;
    const lines = await openRegular(this.path);
    try {
      let next = from;
      while (offset < end) {
        const bytes = buffer.subarray(0, Math.min(slice, end - offset));
        if ((await fill(lines, offset, bytes)) < bytes.length) return;
        const read = parseMetrics(bytes, (values) => {
          const step = values[stepColumn]!;
          const row = steps[next] === step ? next : firstAtLeast(steps, step);
          // Lines of steps that were cut off have no row.
          if (row >= from && row < to && steps[row] === step) take(row, values);
          next = row + 1;
        });
        if (read === 0) return;
        offset += read;
        await pause();
      }
    } finally {
      spareSlice = buffer;
      await lines.close();
    }
  }

  /** All values of a column; NaN where a row has none, undefined where no row has one. */
  async values(name: ColumnName): Promise<Float64Array | undefined> {
    return (await this.#load(name))?.values.values;
  }

  /** The values of rows [from, to) of a column, which is not kept in memory for that. */
  async range(name: ColumnName, from: number, to: number): Promise<Float64Array | undefined> {
    const index = columnNames.indexOf(name);
    if (!this.#recorded[index]) return undefined;
    return this.#columns[index]?.values.values.subarray(from, to) ?? this.#read(name, from, to);
  }

  async series(name: ColumnName): Promise<Series | undefined> {
    const column = await this.#load(name);
    if (!column) return undefined;
    const { values } = column.values;
    column.extremes ??= new Extremes();
    column.means ??= new Means();
    column.extremes.extend(values);
    column.means.extend(values);
    return { values, extremes: column.extremes, means: column.means };
  }

  /** Writes the cache if it pays off. If it cannot be written, reading works without it. */
  async save(): Promise<void> {
    const rows = this.rows;
    if (this.#saving || rows < this.#saveAt) return;
    this.#saving = true;
    this.#saveAt = rows * cacheAgain;
    const generation = this.#generation;
    try {
      const sample = await this.#write(rows);
      if (this.#generation === generation) this.#cached = { rows, sample };
      else await rm(this.#cachePath, { force: true });
    } catch {
      // A disk that is full or may not be written.
    } finally {
      this.#saving = false;
    }
  }

  async #write(rows: number): Promise<string> {
    // All of one moment: rows may be added while the cache is written.
    const [offset, columns, before] = [this.#offset, this.recorded, { ...this.#cached }];
    const lines = await openRegular(this.path);
    const sample = await sampleOf(lines, offset).finally(() => lines.close());
    const fillCache = async (write: WriteValues) => {
      for (const name of columns)
        for (let from = 0; from < before.rows; from += copied) {
          const to = Math.min(from + copied, before.rows);
          const values = await readCacheColumn(this.#cachePath, before.sample, name, from, to);
          if (!values) throw new Error("the cache is gone");
          await write(name, from, values);
        }
      const batches = new RowBatches(columns);
      const take = (row: number, values: Float64Array) => batches.add(row, values);
      await this.#eachRow(before.rows, rows, take, () => batches.flush(write));
    };
    await writeCache(this.#cachePath, { rows, offset, sample, columns }, fillCache);
    return sample;
  }
}
