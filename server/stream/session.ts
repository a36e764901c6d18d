import { dirname } from "node:path";
import type { RunReference } from "../protocol/editor/basics.ts";
import { UserError } from "../protocol/errors.ts";
import {
  type HubMessage,
  mostRows,
  type OfferedRun,
  type PageMessage,
  pageMessageSchema,
  type StageReference,
  type View,
} from "../protocol/stream.ts";
import { findModel } from "../runs/findModel.ts";
import { listRuns } from "../runs/runs.ts";
import { type DescribedRun, describeRun, placesOf, sourcesOf } from "./describe.ts";
import { type Inspecting, PageInspections } from "./pageInspections.ts";
import type { ReaderClient } from "./reader/client.ts";
import type { Source } from "./reader/requests.ts";
import { expertOrigin } from "./routing/expertOrigin.ts";
import { PageRouting } from "./routing/pageRouting.ts";

/** The other end of a connection. */
export interface Peer {
  send(data: string | ArrayBuffer): void;
  /** Bytes on their way. */
  readonly waiting: number;
  /** Ends the connection because of what the page did. */
  refuse(reason: string): void;
}

export interface SessionOptions {
  reader: ReaderClient;
  /** Run folders that may be read; undefined: any. */
  roots?: readonly string[];
  /** Absent: models are not run. */
  inspecting?: Inspecting;
  /** Told of errors that are nobody's fault but the program's. */
  log(text: string): void;
}

/** How often new lines are looked for while something trains or grows, and else; how often states are, ms. */
const quick = 200;
const slow = 1500;
const states = 1000;
/** What has not grown for so long does not grow, ms. */
const still = 5000;
/** A page that has so many bytes still to take gets nothing new. */
const crowded = 4 << 20;
/** How often it is looked whether it has taken them, ms. */
const breath = 5;

/** One page's stream: what it has opened, what it sees, and the timer that tells it of news. */
export class Session {
  readonly #peer: Peer;
  readonly #options: SessionOptions;
  #opened: RunReference[] = [];
  #runs: DescribedRun[] = [];
  #told = "";
  #describedAt = 0;
  #view: View | undefined;
  /** Revisions of the files the page has; undefined: it has nothing of this view yet. */
  #seen: Record<string, number> | undefined;
  #unread = false;
  #grewAt = Number.NEGATIVE_INFINITY;
  #used: { paths: string; release(): void } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> = Promise.resolve();
  #closed = false;
  readonly #routing: PageRouting;
  readonly #inspections: PageInspections;

  constructor(peer: Peer, options: SessionOptions) {
    this.#peer = peer;
    this.#options = options;
    const send = (message: HubMessage) => this.#send(message);
    this.#routing = new PageRouting({
      send,
      frame: (frame) => {
        if (!this.#closed) peer.send(frame);
      },
      ready: async () => {
        while (!this.#closed && peer.waiting > crowded) await new Promise((resolve) => setTimeout(resolve, breath));
      },
      runs: () => this.#runs.map(({ streamed }) => streamed),
    });
    const { inspecting, log } = options;
    this.#inspections = new PageInspections({ inspecting, send, check: (root) => this.#check(root), log });
  }

  /** A message of the page. One that is none of ours ends the connection. */
  receive(text: string): void {
    let message: PageMessage;
    try {
      message = pageMessageSchema.parse(JSON.parse(text));
    } catch {
      this.#peer.refuse("not a message of this protocol");
      return;
    }
    this.#answer(message).catch((error: unknown) => {
      if (this.#closed) return;
      if (!(error instanceof UserError))
        this.#options.log(error instanceof Error ? (error.stack ?? "") : String(error));
      const text = error instanceof UserError ? error.message : "A request failed: the log says why.";
      this.#send({ type: "problem", text });
    });
  }

  close(): void {
    this.#closed = true;
    this.#pause();
  }

  async #answer(message: PageMessage): Promise<void> {
    switch (message.type) {
      case "runs":
        return this.#send({ type: "runs", runs: await this.#offered(message.roots) });
      case "open":
        return this.#open(message.runs);
      case "view":
        this.#view = message;
        this.#seen = undefined;
        return this.#soon(0);
      case "pause":
        return this.#pause();
      case "statistics":
        return this.#statistics(message);
      case "export":
        return this.#export(message);
      case "openRouting":
        return this.#routing.open(message.models);
      case "inspect":
        return this.#inspections.ask(message);
      case "cancelInspection":
        return this.#inspections.cancel(message.id);
      case "expertOrigin":
        return this.#origin(message);
      default:
        return this.#routing.answer(message);
    }
  }

  #send(message: HubMessage): void {
    if (!this.#closed) this.#peer.send(JSON.stringify(message));
  }

  #pause(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#view = undefined;
    this.#seen = undefined;
    this.#opened = [];
    this.#routing.close();
    this.#inspections.close();
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

  #check(root: string): string {
    const { roots } = this.#options;
    if (roots && !roots.includes(root)) throw new UserError(`runs of ${dirname(root)} are not served here`);
    return root;
  }

  async #offered(roots: readonly string[]): Promise<OfferedRun[]> {
    const runs: OfferedRun[] = [];
    for (const root of new Set(this.#options.roots ?? roots)) {
      for (const entry of await listRuns(root)) {
        if ("problem" in entry) continue;
        const { record, state } = entry.run;
        runs.push({ root, run: record.id, name: record.name, created: record.created, state });
      }
    }
    return runs.sort((a, b) => (a.created < b.created ? 1 : -1));
  }

  async #open(runs: readonly RunReference[]): Promise<void> {
    for (const { root } of runs) this.#check(root);
    this.#opened = [...runs];
    this.#told = "";
    await this.#describe();
    this.#soon(0);
  }

  /** Reads the states of the opened runs and tells the page if they are others. */
  async #describe(): Promise<void> {
    this.#describedAt = performance.now();
    const opened = this.#opened;
    const runs = await Promise.all(opened.map(describeRun));
    // Others may have been opened meanwhile.
    if (opened !== this.#opened || this.#closed) return;
    if (placesOf(runs) !== placesOf(this.#runs)) this.#seen = undefined;
    this.#runs = runs;
    this.#use(sourcesOf(runs).map(({ path }) => path));
    const streamed = runs.map((run) => run.streamed);
    const told = JSON.stringify(streamed);
    if (told !== this.#told) this.#send({ type: "opened", runs: streamed });
    this.#told = told;
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
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#ticking = this.#ticking
        .then(() => this.#tick())
        .catch((error: unknown) => this.#options.log(error instanceof Error ? (error.stack ?? "") : String(error)))
        .then(() => this.#next());
    }, wait);
  }

  #next(): void {
    if (this.#closed || this.#opened.length === 0) return;
    const running = this.#runs.some(({ streamed }) => streamed.stages.some(({ state }) => state === "running"));
    const grows = performance.now() - this.#grewAt < still;
    this.#soon(this.#unread || (this.#view && !this.#seen) ? 0 : running || grows ? quick : slow);
  }

  /** Tells the page what is new. */
  async #tick(): Promise<void> {
    if (this.#peer.waiting > crowded) return;
    if (this.#opened.length > 0 && performance.now() - this.#describedAt >= states) await this.#describe();
    await this.#routing.look();
    const view = this.#view;
    if (!view || this.#closed) return;
    const { series, fromZero, type: _, ...rest } = view;
    const sources = this.#sources(series, fromZero);
    const known = this.#seen;
    const { frame, seen, done, bytes } = await this.#options.reader.view({
      view: rest,
      sources,
      ...(known ? { seen: known } : {}),
    });
    if (this.#closed || this.#view !== view || this.#seen !== known) return;
    this.#seen = seen;
    if (frame) this.#peer.send(frame);
    if (frame && known) this.#grewAt = performance.now();
    if (bytes > 0 || this.#unread) this.#send({ type: "reading", done, bytes });
    this.#unread = bytes > 0;
  }

  async #statistics({ id, series, fromZero, ...rest }: Extract<PageMessage, { type: "statistics" }>): Promise<void> {
    const sources = this.#sources(series, fromZero);
    const { axis, measure, range } = rest;
    const answer = await this.#options.reader.statistics({ sources, axis, measure, ...(range ? { range } : {}) });
    const figures = sources.map(({ root, key }, index) => {
      const found = answer[index];
      return { root, key, ...(found ? { figures: found } : {}) };
    });
    this.#send({ type: "statistics", id, figures });
  }

  async #export({ id, series, fromZero, axis, range }: Extract<PageMessage, { type: "export" }>): Promise<void> {
    const sources = this.#sources(series, fromZero);
    const names = sources.map((source) => this.#nameOf(source));
    const rows = await this.#options.reader.export(
      { id, sources, names, axis, mostRows, ...(range ? { range } : {}) },
      (frame) => {
        if (!this.#closed) this.#peer.send(frame);
      },
    );
    const problem = `There are more than ${mostRows.toLocaleString("en")} rows: zoom in or hide stages, and export again.`;
    this.#send({ type: "exported", id, rows: rows ?? 0, ...(rows === undefined ? { problem } : {}) });
  }

  async #origin({ id, model: { root, key }, expert }: Extract<PageMessage, { type: "expertOrigin" }>): Promise<void> {
    const { run, stage } = this.#nameOf({ root, key });
    const found = await findModel({ root: this.#check(root), run, stage });
    this.#send({ type: "expertOrigin", id, origin: await expertOrigin(found, expert) });
  }

  #nameOf({ root, key }: StageReference): { run: string; stage: string } {
    for (const { streamed } of this.#runs) {
      const { stages, mixes } = streamed;
      const stage = streamed.root === root ? [...stages, ...mixes].find((one) => one.key === key) : undefined;
      if (stage) return { run: streamed.run, stage: stage.name };
    }
    return { run: "", stage: key };
  }
}
