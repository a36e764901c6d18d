import { dirname } from "node:path";
import { UserError } from "../protocol/errors.ts";
import {
  type HubMessage,
  type OfferedRun,
  type PageMessage,
  pageMessageSchema,
  type Question,
} from "../protocol/stream.ts";
import { checkTrust, questionsNeedTrust } from "../protocol/trust.ts";
import { findModel } from "../runs/findModel.ts";
import { listRuns } from "../runs/runs.ts";
import { Outbox, type Peer } from "./outbox.ts";
import { answerInspection, type PageInspector } from "./pageInspections.ts";
import { PageRuns } from "./pageRuns.ts";
import type { ReaderClient } from "./reader/client.ts";
import type { Reply } from "./reply.ts";
import { expertOrigin } from "./routing/expertOrigin.ts";
import { PageRouting } from "./routing/pageRouting.ts";
import { Turns } from "./turns.ts";

export interface SessionOptions {
  reader: ReaderClient;
  /** Exports of all pages. */
  exports: Turns;
  /** Run folders that may be read; undefined: any. */
  roots?: readonly string[];
  /** Absent: models are not inspected. */
  inspector?: PageInspector;
  /** Whether the user trusts the workspace. */
  trusted(): boolean;
  /** Takes errors of the program itself. */
  log(text: string): void;
}

/** Most unanswered questions of one page. */
const maxQuestions = 1024;

/** How many questions of one page are answered at once; the others wait, first come, first served. */
const atOnce = { reading: 8, inspecting: 4, exporting: 1 };

function kindOfWork(type: Question["type"]): keyof typeof atOnce {
  if (type === "inspect") return "inspecting";
  return type === "export" ? "exporting" : "reading";
}

/** Questions that are answered until they are cancelled. */
const isSubscription = (type: Question["type"]): boolean =>
  type === "open" || type === "view" || type === "openRouting";

/** One page's end of a stream: answers the page's questions, each by its id. */
export class Session {
  readonly #peer: Peer;
  readonly #outbox: Outbox;
  readonly #options: SessionOptions;
  /** Cancels unanswered questions, by id. */
  readonly #asked = new Map<number, { type: Question["type"]; cancelled: AbortController }>();
  readonly #runs: PageRuns;
  readonly #routing: PageRouting;
  readonly #turns = {
    reading: new Turns(atOnce.reading),
    inspecting: new Turns(atOnce.inspecting),
    exporting: new Turns(atOnce.exporting),
  };

  constructor(peer: Peer, options: SessionOptions) {
    this.#peer = peer;
    this.#outbox = new Outbox(peer);
    this.#options = options;
    const { reader, trusted, log } = options;
    this.#routing = new PageRouting(() => this.#runs.streamed);
    this.#runs = new PageRuns({
      reader,
      mayWrite: trusted,
      onPoll: () => this.#routing.look(),
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
    if (isSubscription(type))
      for (const [before, asked] of [...this.#asked]) if (asked.type === type) this.#cancel(before);
    this.#cancel(id);
    if (this.#asked.size >= maxQuestions) return this.#peer.refuse(`more than ${maxQuestions} questions at once`);
    const cancelled = new AbortController();
    this.#asked.set(id, { type, cancelled });
    const reply = this.#reply(cancelled.signal);
    await this.#turns[kindOfWork(type)].run(cancelled.signal, () => this.#settle(question, reply));
    if (!isSubscription(type) && this.#asked.get(id)?.cancelled === cancelled) this.#asked.delete(id);
  }

  /** Answers a question once the page has read what it was sent before. */
  async #settle(question: Question, reply: Reply): Promise<void> {
    const { id, type } = question;
    await reply.room();
    if (reply.signal.aborted) return;
    try {
      checkTrust(questionsNeedTrust[type], this.#options.trusted());
      await this.#answer(question, reply);
      if (!isSubscription(type)) await reply.send({ type: "done", id });
    } catch (error) {
      if (!(error instanceof UserError) && !reply.signal.aborted)
        this.#options.log(error instanceof Error ? (error.stack ?? error.message) : String(error));
      const text = error instanceof UserError ? error.message : "The question could not be answered: the log says why.";
      await reply.send({ type: "problem", id, text });
    }
  }

  #reply(signal: AbortSignal): Reply {
    const outbox = this.#outbox;
    return {
      send: (message: HubMessage) => outbox.send(JSON.stringify(message), signal),
      frame: (frame) => outbox.send(frame, signal),
      room: () => outbox.room(signal),
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
        await this.#options.exports.run(reply.signal, () => this.#runs.export(question, reply));
        return;
      case "openRouting":
        return this.#routing.open(question, reply);
      case "inspect":
        return answerInspection(question, this.#options.inspector, (root) => this.#check(root), reply);
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
    await send({ type: "expertOrigin", id, origin: await expertOrigin(found, expert) });
  }
}
