import type { Frame } from "../server/protocol/frame.ts";
import {
  type Inspected,
  type Inspection,
  type InspectionNews,
  type InspectionResult,
  inspections,
} from "../server/protocol/inspect.ts";
import type { HubMessage, Question } from "../server/protocol/stream.ts";
import type { Host } from "./host.ts";
import { Transport } from "./transport.ts";

/** The message, by its type, or the frame, by its kind, that answers a question. */
const answers = {
  runs: "runs",
  open: "opened",
  view: "points",
  statistics: "statistics",
  export: "text",
  openRouting: "routingOpened",
  routing: "routing",
  routingLayers: "routingLayers",
  routingPairs: "pairs",
  routingHistogram: "histogram",
  routingSaturation: "saturation",
  routingLoad: "load",
  inspect: "inspected",
  expertOrigin: "expertOrigin",
} as const satisfies Record<Question["type"], HubMessage["type"] | Frame["kind"]>;

type QuestionType = keyof typeof answers;
/** A question without its id, which the client assigns. */
export type Asked<K extends QuestionType = QuestionType> = K extends K
  ? Omit<Extract<Question, { type: K }>, "id">
  : never;
export type AnswerTo<K extends QuestionType> =
  | Extract<HubMessage, { type: (typeof answers)[K] }>
  | Extract<Frame, { kind: (typeof answers)[K] }>;
/** What answers a question: messages and frames of its id. */
type Part = HubMessage | Frame;

/** A pending answer. */
export interface Pending<T> {
  /** Rejects with a sentence for people. */
  readonly answer: Promise<T>;
  cancel(): void;
}

/** An answer made of another. */
export const made = <A, B>({ answer, cancel }: Pending<A>, make: (answer: A) => B): Pending<B> => ({
  answer: answer.then(make),
  cancel,
});

export interface Listener<K extends QuestionType> {
  heard(answer: AnswerTo<K>): void;
  /** What comes beside answers. */
  news?(message: HubMessage): void;
  refused(why: string): void;
}

export interface ClientEvents {
  /** Connected or visible again: there are no subscriptions, so request everything again. */
  begin(): void;
  /** `trouble` has changed. */
  changed(): void;
}

interface Waiting {
  heard(part: Part): void;
  done(): void;
  refused(why: string): void;
  /** It is a subscription. */
  goesOn: boolean;
}

const kindOf = (part: Part): string => ("kind" in part ? part.kind : part.type);

/**
 * A page's questions to the backend, each with an id, and their answers. A question has one answer. A subscription
 * lasts until it is ended; a hidden page has none. When the connection is lost, pending questions are rejected.
 */
export class StreamClient {
  readonly #transport: Transport;
  readonly #events: ClientEvents;
  /** By id. */
  readonly #waiting = new Map<number, Waiting>();
  #ids = 0;
  #connected = false;
  #seen = true;
  /** Why there is no connection. */
  trouble: string | undefined;

  constructor(host: Host, events: ClientEvents) {
    this.#events = events;
    this.#transport = new Transport(host, {
      connected: () => {
        this.#connected = true;
        this.trouble = undefined;
        this.restart();
        events.changed();
      },
      disconnected: (why) => {
        this.#connected = false;
        this.trouble = why;
        for (const id of [...this.#waiting.keys()]) this.#take(id)?.refused(why);
        events.changed();
      },
      message: (message) => this.#hear(message.id, message),
      frame: (frame) => this.#hear(frame.id, frame),
    });
    document.addEventListener("visibilitychange", () => this.#visible(document.visibilityState === "visible"));
  }

  /** Asks. @param each gets every message or frame that answers, the last one too. */
  ask<K extends QuestionType>(
    question: Asked<K> & { type: K },
    each?: (answer: AnswerTo<K>) => void,
  ): Pending<AnswerTo<K>> {
    return this.#ask<AnswerTo<K>>(question, (part) => {
      if (kindOf(part) !== answers[question.type]) return undefined;
      each?.(part as AnswerTo<K>);
      return part as AnswerTo<K>;
    });
  }

  /** Asks the inspector. @param onNews gets what it reports before the answer. */
  inspect<I extends Inspection>(
    inspection: I,
    params: Inspected<I>,
    onNews?: (news: InspectionNews<I>) => void,
  ): Pending<InspectionResult<I>> {
    const { news, result } = inspections[inspection];
    return this.#ask<InspectionResult<I>>({ type: "inspect", inspection, params }, (part) => {
      if (!("type" in part)) return undefined;
      if (part.type === "inspectionNews") onNews?.(news.parse(part.news) as InspectionNews<I>);
      return part.type === "inspected" ? (result.parse(part.answer) as InspectionResult<I>) : undefined;
    });
  }

  /** @param answerOf the answer that a part is; undefined for news. */
  #ask<T>(question: Asked, answerOf: (part: Part) => T | undefined): Pending<T> {
    const id = ++this.#ids;
    let refuse: (why: string) => void = () => {};
    const answer = new Promise<T>((resolve, reject) => {
      let last: T | undefined;
      refuse = (why) => reject(new Error(why));
      this.#waiting.set(id, {
        heard: (part) => {
          last = answerOf(part) ?? last;
        },
        done: () => (last === undefined ? refuse("The backend has no answer.") : resolve(last)),
        refused: refuse,
        goesOn: false,
      });
    });
    // A cancelled question may have nobody who waits for it.
    answer.catch(() => {});
    if (this.#connected) this.#transport.send({ ...question, id } as Question);
    else this.#take(id)?.refused(this.trouble ?? "The page is not connected to the backend yet.");
    return { answer, cancel: () => this.#cancel(id, "cancelled") };
  }

  /** Asks for what goes on. While the page is not connected or not seen, nothing is asked. @returns what ends it. */
  subscribe<K extends "open" | "view" | "openRouting">(
    question: Asked<K> & { type: K },
    { heard, news, refused }: Listener<K>,
  ): () => void {
    if (!this.#connected || !this.#seen) return () => {};
    const id = ++this.#ids;
    this.#waiting.set(id, {
      heard: (part) => {
        if (kindOf(part) === answers[question.type]) heard(part as AnswerTo<K>);
        else if ("type" in part) news?.(part);
      },
      done: () => {},
      refused,
      goesOn: true,
    });
    this.#transport.send({ ...question, id } as Question);
    return () => this.#cancel(id);
  }

  /** Ends all subscriptions and has everything requested again. */
  restart(): void {
    this.#unsubscribe();
    if (this.#connected && this.#seen) this.#events.begin();
  }

  #unsubscribe(): void {
    for (const [id, { goesOn }] of [...this.#waiting]) if (goesOn) this.#cancel(id);
  }

  /** A hidden page has no subscriptions, but its pending questions are answered. */
  #visible(seen: boolean): void {
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.restart();
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #cancel(id: number, why?: string): void {
    const waiting = this.#take(id);
    if (!waiting) return;
    if (this.#connected) this.#transport.send({ type: "cancel", id });
    if (why !== undefined) waiting.refused(why);
  }

  #hear(id: number, part: Part): void {
    if ("type" in part && part.type === "done") this.#take(id)?.done();
    else if ("type" in part && part.type === "problem") this.#take(id)?.refused(part.text);
    else this.#waiting.get(id)?.heard(part);
  }
}
