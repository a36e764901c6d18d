import type { RoutingHeader } from "../../server/protocol/frame.ts";
import type { CellMeasure } from "../../server/protocol/measures.ts";
import { mostSnapshots } from "../../server/protocol/routing.ts";
import type { RoutingValues } from "./values.ts";

/** A frame of one model, snapshot and measure. */
export interface FrameName {
  /** Id of the model. */
  model: string;
  snapshot: number;
  measure: CellMeasure;
}

export interface RoutingFrame extends RoutingValues {
  step: number;
  /** The value of a router that prefers nothing; 0: there is none. */
  uniform: number;
}

/** What is kept at most, bytes; the frames that were not used for longest go first. */
const room = 192 << 20;
/** Frames on their way at most: what is wanted next is not to wait for what was wanted before. */
const mostAsked = 12;

const nameOf = ({ model, snapshot, measure }: FrameName): string => `${measure} ${snapshot} ${model}`;

/** Frames that are at hand, and the asking for those that are not. */
export class FrameStore {
  readonly #ask: (names: FrameName[]) => void;
  readonly #room: number;
  #frames = new Map<string, RoutingFrame>();
  #asked = new Set<string>();
  #refused = new Set<string>();
  #wanted: readonly FrameName[] = [];
  /** How many of those, from the first on, are shown now. */
  #shown = 0;
  #bytes = 0;

  /** @param ask asks for frames of one model and measure. @param bytes to keep at most. */
  constructor(ask: (names: FrameName[]) => void, bytes = room) {
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
   * What is wanted now: what is shown, then what may be shown next, the most urgent first. What was wanted before and is not
   * asked for yet is not wanted any more.
   */
  want(shown: readonly FrameName[], next: readonly FrameName[]): void {
    this.#wanted = [...shown, ...next];
    this.#shown = shown.length;
    this.#next();
  }

  /** @returns whether there is something else to show. */
  take(model: string, header: Extract<RoutingHeader, { kind: "routing" }>, values: Float32Array): boolean {
    const { snapshot, measure, shape, step, uniform } = header;
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

  /** What was asked for will not come; it is not asked for again until `begin`. */
  refuse(): void {
    for (const key of this.#asked) this.#refused.add(key);
    this.#asked.clear();
    this.#next();
  }

  /** There is a new connection, or there are other models: what is on its way will not come. */
  begin(): void {
    this.#asked.clear();
    this.#refused.clear();
    this.#next();
  }

  #next(): void {
    const missing = this.#wanted.filter((name) => {
      const key = nameOf(name);
      return !this.#frames.has(key) && !this.#asked.has(key) && !this.#refused.has(key);
    });
    const groups = new Map<string, FrameName[]>();
    for (const name of missing) {
      if (this.#asked.size >= mostAsked) break;
      // Several snapshots may have the same frame.
      if (this.#asked.has(nameOf(name))) continue;
      this.#asked.add(nameOf(name));
      const of = `${name.measure} ${name.model}`;
      groups.set(of, [...(groups.get(of) ?? []), name]);
    }
    for (const group of groups.values())
      for (let at = 0; at < group.length; at += mostSnapshots) this.#ask(group.slice(at, at + mostSnapshots));
  }
}
