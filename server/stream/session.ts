import { dirname } from "node:path";
import { UserError } from "../protocol/errors.ts";
import {
  type HubMessage,
  type OfferedRun,
  type PageMessage,
  pageMessageSchema,
  type Question,
} from "../protocol/stream.ts";
import { findModel } from "../runs/findModel.ts";
import { listRuns } from "../runs/runs.ts";
import { answerInspection, type Inspecting } from "./pageInspections.ts";
import { PageRuns } from "./pageRuns.ts";
import type { ReaderClient } from "./reader/client.ts";
import type { Reply } from "./reply.ts";
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
  /** Absent: models are not inspected. */
  inspecting?: Inspecting;
  /** Takes errors of the program itself. */
  log(text: string): void;
}

/** A page that has not yet taken so many bytes gets nothing new. */
const crowded = 4 << 20;
/** How often that is checked, ms. */
const breath = 5;
/** Most questions of one page at once. */
const maxQuestions = 1024;

/** Questions that are answered until they are cancelled. */
const goesOn = (type: Question["type"]): boolean => type === "open" || type === "view" || type === "openRouting";

/** One page's end of a stream: answers the page's questions, each by its id. */
export class Session {
  readonly #peer: Peer;
  readonly #options: SessionOptions;
  /** Cancels unanswered questions, by id. */
  readonly #asked = new Map<number, { type: Question["type"]; cancelled: AbortController }>();
  readonly #runs: PageRuns;
  readonly #routing: PageRouting;

  constructor(peer: Peer, options: SessionOptions) {
    this.#peer = peer;
    this.#options = options;
    const { reader, log } = options;
    this.#routing = new PageRouting(() => this.#runs.streamed);
    this.#runs = new PageRuns({
      reader,
      crowded: () => peer.waiting > crowded,
      looked: () => this.#routing.look(),
      log,
    });
  }

  /** A message of the page. One that is not of this protocol ends the connection. */
  receive(text: string): void {
    let message: PageMessage;
    try {
      message = pageMessageSchema.parse(JSON.parse(text));
    } catch {
      this.#peer.refuse("not a message of this protocol");
      return;
    }
    if (message.type === "cancel") this.#cancel(message.id);
    else void this.#take(message);
  }

  close(): void {
    for (const id of [...this.#asked.keys()]) this.#cancel(id);
  }

  #cancel(id: number): void {
    this.#asked.get(id)?.cancelled.abort();
    this.#asked.delete(id);
  }

  async #take(question: Question): Promise<void> {
    const { id, type } = question;
    if (goesOn(type)) for (const [before, asked] of [...this.#asked]) if (asked.type === type) this.#cancel(before);
    const cancelled = new AbortController();
    const reply = this.#reply(cancelled.signal);
    try {
      if (this.#asked.size >= maxQuestions) throw new UserError("Too many questions at once: wait for the answers.");
      this.#asked.set(id, { type, cancelled });
      await this.#answer(question, reply);
      if (goesOn(type)) return;
      reply.send({ type: "done", id });
    } catch (error) {
      if (!(error instanceof UserError) && !cancelled.signal.aborted)
        this.#options.log(error instanceof Error ? (error.stack ?? error.message) : String(error));
      const text = error instanceof UserError ? error.message : "The question could not be answered: the log says why.";
      reply.send({ type: "problem", id, text });
    }
    if (this.#asked.get(id)?.cancelled === cancelled) this.#asked.delete(id);
  }

  #reply(signal: AbortSignal): Reply {
    const peer = this.#peer;
    const send = (data: string | ArrayBuffer) => {
      if (!signal.aborted) peer.send(data);
    };
    return {
      send: (message: HubMessage) => send(JSON.stringify(message)),
      frame: send,
      ready: async () => {
        while (!signal.aborted && peer.waiting > crowded) await new Promise((resolve) => setTimeout(resolve, breath));
      },
      signal,
    };
  }

  async #answer(question: Question, reply: Reply): Promise<void> {
    switch (question.type) {
      case "runs":
        return reply.send({ type: "runs", id: question.id, runs: await this.#offered(question.roots) });
      case "open":
        for (const { root } of question.runs) this.#check(root);
        return this.#runs.open(question, reply);
      case "view":
        return this.#runs.see(question, reply);
      case "statistics":
        return this.#runs.statistics(question, reply);
      case "export":
        return this.#runs.export(question, reply);
      case "openRouting":
        return this.#routing.open(question, reply);
      case "inspect":
        return answerInspection(question, this.#options.inspecting, (root) => this.#check(root), reply);
      case "expertOrigin":
        return this.#origin(question, reply);
      default:
        return this.#routing.answer(question, reply);
    }
  }

  /** @throws UserError for a run folder that may not be read. */
  #check(root: string): void {
    const { roots } = this.#options;
    if (roots && !roots.includes(root)) throw new UserError(`Runs of ${dirname(root)} are not served here.`);
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

  async #origin({ id, model, expert }: Extract<Question, { type: "expertOrigin" }>, { send }: Reply): Promise<void> {
    this.#check(model.root);
    const found = await findModel({ root: model.root, ...this.#runs.nameOf(model) });
    send({ type: "expertOrigin", id, origin: await expertOrigin(found, expert) });
  }
}
