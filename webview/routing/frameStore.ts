import type { Frame } from "../../server/protocol/frame.ts";
import type { CellMeasure } from "../../server/protocol/measures.ts";

/** Identifies a frame: one measure of a model at a snapshot. */
export interface FrameName {
  /** Id of the model. */
  model: string;
  snapshot: number;
  measure: CellMeasure;
}

/** The values of one measure at a snapshot, [domains + 1, layers, experts]; the last entry covers all domains. */
export interface RoutingFrame {
  values: Float32Array;
  shape: readonly [domains: number, layers: number, experts: number];
  step: number;
  /** The value of a router without preferences; 0 if the measure has none. */
  uniform: number;
}

/** The values of one domain's map, [layers, experts]. */
export function mapOf({ values, shape: [, layers, experts] }: RoutingFrame, domain: number): Float32Array {
  const size = layers * experts;
  return values.subarray(domain * size, (domain + 1) * size);
}

/** a minus b, value by value. Both have the same shape. */
export function differenceOf(a: RoutingFrame, b: RoutingFrame): RoutingFrame {
  return { ...a, values: a.values.map((value, at) => value - (b.values[at] ?? Number.NaN)), uniform: 0 };
}

type SentFrame = Extract<Frame, { kind: "routing" }>;
/**
 * Requests frames of one model and measure. Passes each arriving frame to `take`, which returns whether there is
 * something new to show. Resolves when no more will arrive; rejects with a readable message.
 */
export type AskFrames = (
  model: string,
  measure: CellMeasure,
  snapshots: number[],
  take: (frame: SentFrame) => boolean,
) => Promise<unknown>;

/** Maximum size of all frames, bytes; the least recently used are dropped first. */
const room = 192 << 20;
/** Maximum number of pending frames, so that new requests do not wait for outdated ones. */
const maxPending = 12;

const nameOf = ({ model, snapshot, measure }: FrameName): string => `${measure} ${snapshot} ${model}`;

/** Keeps loaded frames and requests missing ones. */
export class FrameStore {
  readonly #ask: AskFrames;
  readonly #room: number;
  #frames = new Map<string, RoutingFrame>();
  #asked = new Set<string>();
  #failed = new Set<string>();
  #wanted: readonly FrameName[] = [];
  /** How many of the wanted frames, from the first on, are shown now. */
  #shown = 0;
  #bytes = 0;
  /** Why the last request failed. */
  problem = "";

  /** @param bytes maximum size of all frames. */
  constructor(ask: AskFrames, bytes = room) {
    this.#ask = ask;
    this.#room = bytes;
  }

  get(name: FrameName): RoutingFrame | undefined {
    const key = nameOf(name);
    const frame = this.#frames.get(key);
    if (!frame) return undefined;
    this.#frames.delete(key);
    this.#frames.set(key, frame);
    return frame;
  }

  /**
   * Sets the wanted frames: the shown ones, then those likely to be shown next, most urgent first. Frames wanted
   * earlier but not requested yet are dropped.
   */
  want(shown: readonly FrameName[], next: readonly FrameName[]): void {
    this.#wanted = [...shown, ...next];
    this.#shown = shown.length;
    this.#next();
  }

  /** @returns whether there is something new to show. */
  #take(model: string, { snapshot, measure, shape, step, uniform, values }: SentFrame): boolean {
    const key = nameOf({ model, snapshot, measure });
    this.#asked.delete(key);
    this.#bytes += values.byteLength - (this.#frames.get(key)?.values.byteLength ?? 0);
    this.#frames.set(key, { values, shape, step, uniform });
    for (const [old, { values: gone }] of this.#frames) {
      if (this.#bytes <= this.#room || old === key) break;
      this.#frames.delete(old);
      this.#bytes -= gone.byteLength;
    }
    this.#next();
    return this.#wanted.slice(0, this.#shown).some((name) => nameOf(name) === key);
  }

  /** Call when a request is over; frames that did not arrive are not requested again until `retry`. */
  #settle(names: readonly FrameName[], problem = this.problem): void {
    this.problem = problem;
    for (const key of names.map(nameOf)) if (this.#asked.delete(key)) this.#failed.add(key);
    this.#next();
  }

  /** Requests failed frames again, after a new connection or when models changed. */
  retry(): void {
    this.problem = "";
    this.#failed.clear();
    this.#next();
  }

  #next(): void {
    const groups = new Map<string, FrameName[]>();
    for (const name of this.#wanted) {
      if (this.#asked.size >= maxPending) break;
      // Several snapshots may share a frame.
      const key = nameOf(name);
      if (this.#frames.has(key) || this.#asked.has(key) || this.#failed.has(key)) continue;
      this.#asked.add(key);
      const of = `${name.measure} ${name.model}`;
      groups.set(of, [...(groups.get(of) ?? []), name]);
    }
    for (const group of groups.values()) this.#request(group);
  }

  /** @param names of one model and measure. */
  #request(names: readonly FrameName[]): void {
    const [{ model, measure }] = names as [FrameName];
    const snapshots = names.map(({ snapshot }) => snapshot);
    this.#ask(model, measure, snapshots, (frame) => this.#take(model, frame)).then(
      () => this.#settle(names),
      (error: Error) => this.#settle(names, error.message),
    );
  }
}
