import type { Frame, Line } from "../../server/protocol/frame.ts";
import type { Figures, HubMessage, Measure, Range } from "../../server/protocol/stream.ts";
import type { Host } from "../host.ts";
import { PageRuns } from "../pageRuns.ts";
import type { Pending } from "../streamClient.ts";
import { type SeriesInfo, seriesId, seriesOf } from "./series.ts";
import type { PageState } from "./state.ts";

/** The share of the visible range to request beyond each edge, so that panning finds data. */
const margin = 1;
/** Loaded data is reused while it has at least this share of the points that the pixels can show. */
const coarsest = 0.7;

/**
 * The metrics page's data about its runs. It decides what to request from the backend. While a frame is pending, the
 * page draws the visible part of the last one.
 */
export class MetricsData extends PageRuns {
  #state: PageState;
  #columns = 600;
  #endView: (() => void) | undefined;
  /** The last request for a view. */
  #asked: { range: Range | undefined; columns: number; key: string; extent: number } | undefined;
  #waiting = false;
  #askNext = false;
  #statistics: Pending<unknown> | undefined;
  /** Whether the backend knows the runs and can be asked about them. */
  #current = false;

  series: readonly SeriesInfo[] = [];
  /** By measure, then by id of the stage. */
  lines = new Map<Measure, Map<string, Line>>();
  /** Measures that at least one stage has. */
  recorded = new Set<Measure>();
  /** Increases whenever lines or series change. */
  version = 0;
  /** Progress of reading long files, bytes. */
  reading: { done: number; bytes: number } | undefined;
  /** Whether the runs are known. */
  opened = false;
  /** Figures of the selected range, by id of the stage. */
  figures = new Map<string, Figures>();

  /** @param changed is called when there is something new to show. */
  constructor(host: Host, state: PageState, changed: () => void) {
    super(host, state.runs, changed);
    this.#state = state;
  }

  protected override onBegin(): void {
    this.#asked = undefined;
    this.#waiting = false;
    this.#current = false;
    super.onBegin();
  }

  protected override onRuns(): void {
    this.opened = true;
    this.#current = true;
    this.series = seriesOf(this.runs, this.#state.colorBy);
    this.version++;
    this.#requestView();
  }

  /** Call when the user's choices change. */
  set state(state: PageState) {
    const before = this.#state;
    this.#state = state;
    if (JSON.stringify(before.runs) !== JSON.stringify(state.runs)) {
      this.recorded.clear();
      this.about = state.runs;
      return;
    }
    if (before.colorBy !== state.colorBy) {
      this.series = seriesOf(this.runs, state.colorBy);
      this.version++;
    }
    this.#requestView();
  }

  /** Pixel columns of the widest chart. */
  set columns(columns: number) {
    this.#columns = Math.max(1, Math.round(columns));
    this.#requestView();
  }

  /** The stages that are not hidden. */
  get drawn(): SeriesInfo[] {
    const hidden = new Set(this.#state.hidden);
    return this.series.filter(({ id }) => !hidden.has(id));
  }

  /** Lowest and highest x of the drawn lines. */
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

  /** Requests `figures` of a range; without a range, clears them. */
  measure(measure: Measure, range: Range | undefined): void {
    // The answer to an earlier question is about another range.
    this.#statistics?.cancel();
    if (!range) {
      this.figures.clear();
      return;
    }
    const { axis, fromZero } = this.#state;
    const series = this.#references(this.drawn);
    const asked = this.client.ask({ type: "statistics", measure, series, axis, fromZero, range });
    this.#statistics = asked;
    asked.answer.then(
      ({ figures }) => {
        this.figures = new Map(
          figures.flatMap((one) => (one.figures ? [[seriesId(one.root, one.key), one.figures] as const] : [])),
        );
        this.changed();
      },
      (error: Error) => {
        if (this.#statistics === asked) this.showProblem(error.message);
      },
    );
  }

  /** All recorded values of the drawn stages in a range, as pieces of CSV. @throws Error if there are too many. */
  async export(range: Range | undefined): Promise<Uint8Array<ArrayBuffer>[]> {
    const { axis, fromZero } = this.#state;
    const series = this.#references(this.drawn);
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    const question = { type: "export", series, axis, fromZero, ...(range ? { range } : {}) } as const;
    await this.client.ask(question, ({ bytes }) => pieces.push(bytes)).answer;
    return pieces;
  }

  #references = (series: readonly SeriesInfo[]) => series.map(({ root, key }) => ({ root, key }));

  #receive(frame: Extract<Frame, { kind: "points" }>): void {
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
    this.changed();
    if (this.#askNext || !frame.whole) this.#requestView();
  }

  #receiveMessage(message: HubMessage): void {
    if (message.type === "reading") this.reading = message.bytes > 0 ? message : undefined;
    this.changed();
  }

  /** Requests what is visible unless the loaded data suffices. One request at a time. */
  #requestView(): void {
    if (!this.#current) return;
    const { axis, fromZero, smoothing, charts, range } = this.#state;
    const series = this.#references(this.series);
    const key = JSON.stringify([series, charts, axis, fromZero, smoothing]);
    if (this.#asked?.key === key && this.#suffices(range)) return;
    this.#askNext = this.#waiting && this.#asked?.key === key;
    if (this.#askNext) return;
    const columns = Math.min(16_384, Math.ceil(this.#columns * (range ? 1 + 2 * margin : 1)));
    const width = range ? (range[1] - range[0]) * margin : 0;
    const asked: Range | undefined = range && [range[0] - width, range[1] + width];
    const [low, high] = this.extent;
    this.#asked = { range: asked, columns, key, extent: high - low };
    this.#waiting = true;
    this.#endView?.();
    this.#endView = this.client.subscribe(
      {
        type: "view",
        series,
        measures: charts,
        axis,
        fromZero,
        columns,
        smoothing,
        ...(asked ? { range: asked } : {}),
      },
      {
        onAnswer: (frame) => this.#receive(frame),
        onMessage: (message) => this.#receiveMessage(message),
        onProblem: (why) => this.showProblem(why),
      },
    );
  }

  /** Whether the last request shows a range as finely as the pixels can. */
  #suffices(range: Range | undefined): boolean {
    const { range: loaded, columns, extent } = this.#asked!;
    const [low, high] = this.extent;
    // Live lines grow: lines thinned out for a shorter axis have enough points, and eventually too many.
    if (!range) return !loaded && columns >= this.#columns * coarsest && high - low < 2 * Math.max(extent, 1e-9);
    if (!loaded) return false;
    const [wide, asked] = [range[1] - range[0], loaded[1] - loaded[0]];
    // There is nothing to request before the first and after the last value.
    const ahead = wide * margin * 0.3;
    const inside = loaded[0] <= Math.max(range[0] - ahead, low) && loaded[1] >= Math.min(range[1] + ahead, high);
    const fine = (columns * wide) / asked >= this.#columns * coarsest;
    return inside && fine && asked <= 8 * wide;
  }
}
