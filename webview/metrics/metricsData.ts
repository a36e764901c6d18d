import type { Frame, Line } from "../../server/protocol/frame.ts";
import type {
  Figures,
  HubMessage,
  Measure,
  OfferedRun,
  PageMessage,
  Range,
  StreamedRun,
} from "../../server/protocol/stream.ts";
import type { Host } from "../host.ts";
import { Transport } from "../transport.ts";
import { type SeriesInfo, seriesId, seriesOf } from "./series.ts";
import type { PageState } from "./state.ts";

/** Beyond either edge of what is seen, so much more of it is asked for: it is there when one pans. */
const margin = 1;
/** What is there is used while it has at least this share of the points that the pixels could show. */
const coarsest = 0.7;

/**
 * What the backend has told, and what it is to be asked next. While a new frame is on its way the last one is drawn, in
 * whatever part is seen now.
 */
export class Model {
  readonly #transport: Transport;
  readonly #changed: () => void;
  #state: PageState;
  #columns = 600;
  #view = 0;
  /** What the frames at hand were asked for. */
  #asked: { range: Range | undefined; columns: number; key: string; extent: number } | undefined;
  #waiting = false;
  #again = false;
  #shown = true;
  #ids = 0;
  #exports = new Map<
    number,
    { parts: Uint8Array<ArrayBuffer>[]; resolve(parts: Uint8Array<ArrayBuffer>[]): void; reject(error: Error): void }
  >();

  runs: readonly StreamedRun[] = [];
  offered: readonly OfferedRun[] | undefined;
  series: readonly SeriesInfo[] = [];
  /** Measure, then id of the stage. */
  lines = new Map<Measure, Map<string, Line>>();
  /** What any stage has recorded. */
  recorded = new Set<Measure>();
  /** Another number whenever lines or series are others. */
  version = 0;
  /** Bytes read and to be read, of long files. */
  reading: { done: number; bytes: number } | undefined;
  /** Why there is nothing new. */
  trouble: string | undefined;
  opened = false;
  /** Run folders to choose runs from. */
  roots: readonly string[] = [];
  /** By id, of the selected range. */
  figures = new Map<string, Figures>();

  /** @param changed is called when there is something else to show. */
  constructor(host: Host, state: PageState, changed: () => void) {
    this.#state = state;
    this.#changed = changed;
    this.#transport = new Transport(host, {
      connected: () => {
        this.trouble = undefined;
        this.#begin();
      },
      disconnected: (why) => {
        this.trouble = why;
        this.#changed();
      },
      message: (message) => this.#receive(message),
      frame: (frame) => this.#take(frame),
    });
    document.addEventListener("visibilitychange", () => this.#visible(document.visibilityState === "visible"));
  }

  /** What the person has chosen is otherwise than before. */
  set state(state: PageState) {
    const before = this.#state;
    this.#state = state;
    if (JSON.stringify(before.runs) !== JSON.stringify(state.runs)) {
      this.recorded.clear();
      this.#begin();
      return;
    }
    if (before.colorBy !== state.colorBy) {
      this.series = seriesOf(this.runs, state.colorBy);
      this.version++;
    }
    this.#look();
  }

  /** Pixel columns of the widest chart. */
  set columns(columns: number) {
    this.#columns = Math.max(1, Math.round(columns));
    this.#look();
  }

  /** The stages that are drawn. */
  get drawn(): SeriesInfo[] {
    const hidden = new Set(this.#state.hidden);
    return this.series.filter(({ id }) => !hidden.has(id));
  }

  /** From the least to the greatest x of what is drawn. */
  get extent(): Range {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const drawn = new Set(this.drawn.map(({ id }) => id));
    for (const measure of this.#state.charts) {
      for (const [id, { from, to }] of this.lines.get(measure) ?? []) {
        if (!drawn.has(id)) continue;
        low = Math.min(low, from);
        high = Math.max(high, to);
      }
    }
    if (low > high) return [0, 1];
    return low < high ? [low, high] : [low - 0.5, high + 0.5];
  }

  offerRuns(): void {
    const roots = new Set([...this.roots, ...this.#state.runs.map(({ root }) => root)]);
    this.#send({ type: "runs", roots: [...roots] });
  }

  /** Asks for exact figures of a range; they come later. */
  measure(measure: Measure, range: Range): void {
    const { axis, fromZero } = this.#state;
    this.#send({
      type: "statistics",
      id: ++this.#ids,
      measure,
      series: this.#references(this.drawn),
      axis,
      fromZero,
      range,
    });
  }

  /** All recorded values of a range, of what is drawn, as pieces of CSV. @throws Error when they are too many. */
  export(range: Range | undefined): Promise<Uint8Array<ArrayBuffer>[]> {
    const { axis, fromZero } = this.#state;
    const id = ++this.#ids;
    const series = this.#references(this.drawn);
    return new Promise((resolve, reject) => {
      this.#exports.set(id, { parts: [], resolve, reject });
      this.#send({ type: "export", id, series, axis, fromZero, ...(range ? { range } : {}) });
    });
  }

  #send(message: PageMessage): void {
    this.#transport.send(message);
  }

  #references = (series: readonly SeriesInfo[]) => series.map(({ root, key }) => ({ root, key }));

  #begin(): void {
    this.#asked = undefined;
    this.#waiting = false;
    for (const { reject } of this.#exports.values()) reject(new Error("The connection to the backend was lost."));
    this.#exports.clear();
    if (!this.#shown) return;
    this.#send({ type: "open", runs: this.#state.runs });
    if (this.#state.runs.length === 0 || this.offered) this.offerRuns();
  }

  /** A page that is not seen costs nothing, and is whole when it is seen again. */
  #visible(shown: boolean): void {
    if (shown === this.#shown) return;
    this.#shown = shown;
    if (shown) this.#begin();
    else this.#send({ type: "pause" });
  }

  #receive(message: HubMessage): void {
    switch (message.type) {
      case "runs":
        this.offered = message.runs;
        break;
      case "opened":
        this.opened = true;
        this.runs = message.runs;
        this.series = seriesOf(this.runs, this.#state.colorBy);
        this.version++;
        this.#look();
        break;
      case "reading":
        this.reading = message.bytes > 0 ? message : undefined;
        break;
      case "statistics":
        // An earlier question's answer says nothing of the range that is selected now.
        if (message.id !== this.#ids) return;
        this.figures = new Map(
          message.figures.flatMap(({ root, key, figures }) =>
            figures ? [[seriesId(root, key), figures] as const] : [],
          ),
        );
        break;
      case "exported": {
        const asked = this.#exports.get(message.id);
        this.#exports.delete(message.id);
        if (message.problem !== undefined) asked?.reject(new Error(message.problem));
        else asked?.resolve(asked.parts);
        break;
      }
      case "problem":
        this.trouble = message.text;
        break;
    }
    this.#changed();
  }

  #take(frame: Frame): void {
    if (frame.kind === "text") {
      this.#exports.get(frame.id)?.parts.push(frame.bytes);
      return;
    }
    if (frame.kind !== "points" || frame.view !== this.#view) return;
    if (frame.whole) {
      this.lines = new Map();
      this.#waiting = false;
    }
    for (const measure of frame.recorded) this.recorded.add(measure);
    for (const line of frame.lines) {
      const of = this.lines.get(line.measure) ?? new Map<string, Line>();
      of.set(seriesId(line.root, line.key), line);
      this.lines.set(line.measure, of);
    }
    this.version++;
    if (frame.whole && this.#asked) this.#asked.extent = this.extent[1] - this.extent[0];
    this.#changed();
    if (this.#again || !frame.whole) this.#look();
  }

  /** Asks for what is to be seen, if what is at hand will not do. One question at a time. */
  #look(): void {
    if (!this.opened || !this.#shown) return;
    const { axis, fromZero, smoothing, charts, range } = this.#state;
    const series = this.#references(this.series);
    const key = JSON.stringify([series, charts, axis, fromZero, smoothing]);
    if (this.#asked?.key === key && this.#suffices(range)) return;
    this.#again = this.#waiting && this.#asked?.key === key;
    if (this.#again) return;
    const columns = Math.min(16_384, Math.ceil(this.#columns * (range ? 1 + 2 * margin : 1)));
    const width = range ? (range[1] - range[0]) * margin : 0;
    const asked: Range | undefined = range && [range[0] - width, range[1] + width];
    const [low, high] = this.extent;
    this.#asked = { range: asked, columns, key, extent: high - low };
    this.#waiting = true;
    this.#send({
      type: "view",
      view: ++this.#view,
      series,
      measures: charts,
      axis,
      fromZero,
      columns,
      smoothing,
      ...(asked ? { range: asked } : {}),
    });
  }

  /** Whether what was asked for shows a range as well as the pixels can. */
  #suffices(range: Range | undefined): boolean {
    const { range: had, columns, extent } = this.#asked!;
    const [low, high] = this.extent;
    // Live lines grow: what was thinned out for a shorter axis has points enough, and at last too many.
    if (!range) return !had && columns >= this.#columns * coarsest && high - low < 2 * Math.max(extent, 1e-9);
    if (!had) return false;
    const [wide, asked] = [range[1] - range[0], had[1] - had[0]];
    // Beyond the first and the last value there is nothing to ask for.
    const ahead = wide * margin * 0.3;
    const inside = had[0] <= Math.max(range[0] - ahead, low) && had[1] >= Math.min(range[1] + ahead, high);
    const fine = (columns * wide) / asked >= this.#columns * coarsest;
    return inside && fine && asked <= 8 * wide;
  }
}
