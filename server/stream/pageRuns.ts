import { UserError } from "../protocol/errors.ts";
import { maxRows, type Question, type StageReference, type StreamedRun, type View } from "../protocol/stream.ts";
import { type DescribedRun, describeRun, placesOf, sourcesOf } from "./describeRuns.ts";
import type { ReaderClient } from "./reader/client.ts";
import { rowsOf } from "./reader/export.ts";
import type { ExportPart, ExportPlace, Source } from "./reader/requests.ts";
import type { Reply } from "./reply.ts";

/**
 * Polling intervals, ms: for new lines while a stage trains or its file grows, for new lines at other times, and for
 * states.
 */
const quick = 200;
const slow = 1500;
const states = 1000;
/** A file that has not grown for this long counts as no longer growing, ms. */
const still = 5000;

type Asked<T extends Question["type"]> = Extract<Question, { type: T }>;

export interface PageRunsOptions {
  reader: ReaderClient;
  /** Whether caches may be written beside long files of metrics. */
  mayWrite(): boolean;
  /** Called at every poll, after the states of the runs are read. */
  onPoll(): Promise<void>;
  log(text: string): void;
}

/** The runs that a page has opened, its view of their metrics, and the timer that polls both. */
export class PageRuns {
  readonly #options: PageRunsOptions;
  /** Where news of the runs goes, and what was sent last; undefined: nowhere. */
  #open: (Asked<"open"> & { reply: Reply; sent: string }) | undefined;
  #runs: DescribedRun[] = [];
  #describedAt = 0;
  #view: { view: View; reply: Reply } | undefined;
  /** Revisions of the files the page has; undefined: it has nothing of this view yet. */
  #seen: Record<string, number> | undefined;
  /** Whether the files of the view have lines that are not read yet. */
  #behind = false;
  #grewAt = Number.NEGATIVE_INFINITY;
  #used: { paths: string; release(): void } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> = Promise.resolve();

  constructor(options: PageRunsOptions) {
    this.#options = options;
  }

  /** The runs that were opened last, as the page knows them. */
  get streamed(): readonly StreamedRun[] {
    return this.#runs.map(({ streamed }) => streamed);
  }

  async open(question: Asked<"open">, reply: Reply): Promise<void> {
    this.#open = { ...question, reply, sent: "" };
    reply.signal.addEventListener("abort", () => {
      if (this.#open?.reply === reply) this.#close();
    });
    await this.#describe();
    this.#soon(0);
  }

  see(view: View, reply: Reply): void {
    this.#view = { view, reply };
    this.#seen = undefined;
    reply.signal.addEventListener("abort", () => {
      if (this.#view?.reply === reply) this.#view = undefined;
    });
    this.#soon(0);
  }

  /** Stops polling and releases the metrics in memory. The runs stay available for questions. */
  #close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#open = undefined;
    this.#view = undefined;
    this.#seen = undefined;
    this.#used?.release();
    this.#used = undefined;
  }

  /** Keeps these metrics in memory, and no others. */
  #use(paths: string[]): void {
    const before = this.#used;
    if (before?.paths === paths.join("\n")) return;
    this.#used = { paths: paths.join("\n"), release: this.#options.reader.use(paths) };
    before?.release();
  }

  /** Reads the states of the opened runs and sends them if they have changed. */
  async #describe(): Promise<void> {
    this.#describedAt = performance.now();
    const open = this.#open;
    if (!open) return;
    const runs = await Promise.all(open.runs.map(describeRun));
    // Other runs may have been opened in the meantime.
    if (open !== this.#open) return;
    if (placesOf(runs) !== placesOf(this.#runs)) this.#seen = undefined;
    this.#runs = runs;
    this.#use(sourcesOf(runs).map(({ path }) => path));
    const sent = JSON.stringify(this.streamed);
    if (sent === open.sent) return;
    open.sent = sent;
    await open.reply.send({ type: "opened", id: open.id, runs: [...this.streamed] });
  }

  #sources(series: readonly StageReference[], fromZero: boolean): Source[] {
    const found: Source[] = [];
    for (const { root, key } of series) {
      const source = this.#runs.flatMap(({ sources }) => sources.get(key) ?? []).find((one) => one.root === root);
      if (source) found.push(fromZero ? { ...source, begins: { step: 0, tokens: 0, seconds: 0, flops: 0 } } : source);
    }
    return found;
  }

  #soon(wait: number): void {
    clearTimeout(this.#timer);
    if (!this.#open) return;
    this.#timer = setTimeout(() => {
      this.#ticking = this.#ticking
        .then(() => this.#tick())
        .catch((error: unknown) => this.#options.log(error instanceof Error ? (error.stack ?? "") : String(error)))
        .then(() => this.#next());
    }, wait);
  }

  #next(): void {
    if (!this.#open || this.#open.runs.length === 0) return;
    const running = this.#runs.some(({ streamed }) => streamed.stages.some(({ state }) => state === "running"));
    const grows = performance.now() - this.#grewAt < still;
    this.#soon(this.#behind || (this.#view && !this.#seen) ? 0 : running || grows ? quick : slow);
  }

  /** Sends what is new. */
  async #tick(): Promise<void> {
    const { reader, mayWrite, onPoll } = this.#options;
    await this.#open?.reply.room();
    if (this.#open && this.#open.runs.length > 0 && performance.now() - this.#describedAt >= states)
      await this.#describe();
    await onPoll();
    const seen = this.#view;
    if (!seen) return;
    const { view, reply } = seen;
    const { series, fromZero, type: _, ...rest } = view;
    const known = this.#seen;
    const answer = await reader.view({
      view: rest,
      sources: this.#sources(series, fromZero),
      mayWrite: mayWrite(),
      ...(known ? { seen: known } : {}),
    });
    if (this.#view !== seen || this.#seen !== known) return;
    const { frame, done, bytes } = answer;
    this.#seen = answer.seen;
    if (frame && known) this.#grewAt = performance.now();
    const wasBehind = this.#behind;
    this.#behind = bytes > 0;
    if (frame) await reply.frame(frame);
    if (this.#behind || wasBehind) await reply.send({ type: "reading", id: view.id, done, bytes });
  }

  async statistics({ id, series, fromZero, axis, measure, range }: Asked<"statistics">, reply: Reply): Promise<void> {
    const sources = this.#sources(series, fromZero);
    const answer = await this.#options.reader.statistics({ sources, axis, measure, ...(range ? { range } : {}) });
    const figures = sources.map(({ root, key }, index) => {
      const found = answer[index];
      return { root, key, ...(found ? { figures: found } : {}) };
    });
    await reply.send({ type: "statistics", id, figures });
  }

  /**
   * Exports rows in parts: each is made after the page has read the previous one, and the reader answers other
   * requests in between.
   *
   * @throws UserError for more than `maxRows` rows, and when rows are replaced in between.
   */
  async export({ id, series, fromZero, axis, range }: Asked<"export">, { frame, signal }: Reply): Promise<void> {
    const { reader } = this.#options;
    const sources = this.#sources(series, fromZero);
    const names = sources.map((source) => this.nameOf(source));
    const release = reader.use(sources.map(({ path }) => path));
    try {
      const plan = await reader.planExport({ sources, axis, ...(range ? { range } : {}) });
      if (rowsOf(plan) > maxRows) {
        const most = maxRows.toLocaleString("en");
        throw new UserError(`There are more than ${most} rows: zoom in or hide stages, and export again.`);
      }
      for (let at: ExportPlace | undefined = { file: 0, row: 0 }; at && !signal.aborted; ) {
        const part: ExportPart = await reader.exportPart({ id, sources, names, plan, at });
        if (!part.frame) throw new UserError("The metrics changed while they were exported: export again.");
        await frame(part.frame);
        at = part.next;
      }
    } finally {
      release();
    }
  }

  /** The id of an opened run that has a stage, and the stage's name in its plan. */
  nameOf({ root, key }: StageReference): { run: string; stage: string } {
    for (const { run, root: folder, stages, mixes } of this.streamed) {
      const stage = folder === root ? [...stages, ...mixes].find((one) => one.key === key) : undefined;
      if (stage) return { run, stage: stage.name };
    }
    return { run: "", stage: key };
  }
}
