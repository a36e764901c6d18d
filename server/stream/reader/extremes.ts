/**
 * The indices of the minimum and maximum of any range of an append-only array, in logarithmic time: for every 16
 * values, every 256 and so on, the indices of their minimum and maximum are stored. NaN values are ignored.
 */

const factor = 16;

/** One level: entry i is about values [i * span, (i + 1) * span). -1 where they are all NaN. */
interface Level {
  span: number;
  lowest: Int32Array;
  highest: Int32Array;
  /** Entries that are complete. */
  count: number;
}

export interface Extreme {
  /** Indices; -1 where there is no value. */
  low: number;
  high: number;
}

export class Extremes {
  #levels: Level[] = [];

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return this.#levels.reduce((sum, { lowest, highest }) => sum + lowest.byteLength + highest.byteLength, 0);
  }

  /** Processes values added at the end; `values` are all of them. */
  extend(values: Float64Array): void {
    for (let depth = 0; ; depth++) {
      const span = factor ** (depth + 1);
      const wanted = Math.floor(values.length / span);
      if (wanted === 0) return;
      const level = this.#level(depth, span, wanted);
      const { lowest, highest } = level;
      if (depth === 0) {
        for (let entry = level.count; entry < wanted; entry++) {
          lowest[entry] = lowestOf(values, entry * factor, (entry + 1) * factor);
          highest[entry] = highestOf(values, entry * factor, (entry + 1) * factor);
        }
      } else {
        for (let entry = level.count; entry < wanted; entry++) {
          const { low, high } = this.#join(values, depth, entry);
          lowest[entry] = low;
          highest[entry] = high;
        }
      }
      level.count = wanted;
    }
  }

  /** Discards everything at and after `count`. */
  cut(count: number): void {
    for (const level of this.#levels) level.count = Math.min(level.count, Math.floor(count / level.span));
  }

  /** The extremes of values[from, to), which must have been processed; on ties, the first. */
  find(values: Float64Array, from: number, to: number): Extreme {
    const best: Extreme = { low: -1, high: -1 };
    let [at, end] = [from, to];
    // From both ends inwards: single values up to a boundary of a level, then its entries up to one of the next.
    const tail: [number, number, number][] = [];
    for (let depth = -1; at < end; depth++) {
      const next = this.#levels[depth + 1];
      const span = next?.span ?? Number.POSITIVE_INFINITY;
      const [inner, outer] = next ? [Math.ceil(at / span) * span, Math.floor(end / span) * span] : [end, end];
      if (!next || inner >= outer) {
        this.#take(values, depth, at, end, best);
        break;
      }
      this.#take(values, depth, at, inner, best);
      tail.push([depth, outer, end]);
      [at, end] = [inner, outer];
    }
    for (const [depth, start, stop] of tail.reverse()) this.#take(values, depth, start, stop, best);
    return best;
  }

  /** Joins entries of one level (-1: single values) that cover [from, to). */
  #take(values: Float64Array, depth: number, from: number, to: number, best: Extreme): void {
    if (from >= to) return;
    const level = this.#levels[depth];
    if (!level) {
      consider(values, lowestOf(values, from, to), highestOf(values, from, to), best);
      return;
    }
    for (let entry = from / level.span; entry < to / level.span; entry++)
      consider(values, level.lowest[entry]!, level.highest[entry]!, best);
  }

  #level(depth: number, span: number, wanted: number): Level {
    let level = this.#levels[depth];
    if (!level) {
      level = { span, lowest: new Int32Array(wanted), highest: new Int32Array(wanted), count: 0 };
      this.#levels[depth] = level;
    } else if (level.lowest.length < wanted) {
      level.lowest = grown(level.lowest, wanted);
      level.highest = grown(level.highest, wanted);
    }
    return level;
  }

  /** An entry from those of the level below. */
  #join(values: Float64Array, depth: number, entry: number): Extreme {
    const { lowest, highest } = this.#levels[depth - 1]!;
    const best: Extreme = { low: -1, high: -1 };
    for (let below = entry * factor; below < (entry + 1) * factor; below++)
      consider(values, lowest[below]!, highest[below]!, best);
    return best;
  }
}

/** The place of the lowest of values[from, to), the first of equal ones; -1 where all are NaN. */
function lowestOf(values: Float64Array, from: number, to: number): number {
  let found = -1;
  let least = Number.NaN;
  for (let at = from; at < to; at++) {
    const value = values[at]!;
    // Every comparison with NaN is false.
    if (!(value >= least) && !Number.isNaN(value)) {
      least = value;
      found = at;
    }
  }
  return found;
}

/** As `lowestOf`, of the highest. */
function highestOf(values: Float64Array, from: number, to: number): number {
  let found = -1;
  let most = Number.NaN;
  for (let at = from; at < to; at++) {
    const value = values[at]!;
    if (!(value <= most) && !Number.isNaN(value)) {
      most = value;
      found = at;
    }
  }
  return found;
}

function consider(values: Float64Array, low: number, high: number, best: Extreme): void {
  if (low >= 0 && (best.low < 0 || values[low]! < values[best.low]!)) best.low = low;
  if (high >= 0 && (best.high < 0 || values[high]! > values[best.high]!)) best.high = high;
}

function grown(old: Int32Array, wanted: number): Int32Array {
  const larger = new Int32Array(Math.max(wanted, Math.ceil(old.length * 1.5)));
  larger.set(old);
  return larger;
}
