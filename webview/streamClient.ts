import type { Frame } from "../server/protocol/frame.ts";
import {
  type Inspection,
  type InspectionNews,
  type InspectionParams,
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
export type QuestionBody<K extends QuestionType = QuestionType> = K extends K
  ? Omit<Extract<Question, { type: K }>, "id">
  : never;
export type AnswerTo<K extends QuestionType> =
  | Extract<HubMessage, { type: (typeof answers)[K] }>
  | Extract<Frame, { kind: (typeof answers)[K] }>;
/** Part of the answer to a question: a message or frame with its id. */
type Part = HubMessage | Frame;

/** A pending answer. */
export interface Pending<T> {
  /** Rejects with a readable message. */
  readonly answer: Promise<T>;
  cancel(): void;
}

/** Converts the answer when it arrives. */
export const mapPending = <A, B>({ answer, cancel }: Pending<A>, make: (answer: A) => B): Pending<B> => ({
  answer: answer.then(make),
  cancel,
});

export interface Listener<K extends QuestionType> {
  onAnswer(answer: AnswerTo<K>): void;
  /** Called with other messages for the question, such as progress. */
  onMessage?(message: HubMessage): void;
  onProblem(why: string): void;
}

export interface ClientEvents {
  /** The page is connected or visible again; it has no subscriptions, so request everything again. */
  begin(): void;
  /** `trouble` changed. */
  changed(): void;
}

interface Waiting {
  onPart(part: Part): void;
  onDone(): void;
  onProblem(why: string): void;
  isSubscription: boolean;
}

const kindOf = (part: Part): string => ("kind" in part ? part.kind : part.type);

/**
 * Sends a page's questions to the backend, each with an id, and receives the answers. A question has one answer. A
 * subscription lasts until it is cancelled; a hidden page has none. If the connection is lost, pending questions fail.
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
        for (const id of [...this.#waiting.keys()]) this.#remove(id)?.onProblem(why);
        events.changed();
      },
      message: (message) => this.#receive(message.id, message),
      frame: (frame) => this.#receive(frame.id, frame),
    });
    document.addEventListener("visibilitychange", () => this.#visible(document.visibilityState === "visible"));
  }

  /** Asks a question. @param each gets every message or frame of the answer, including the last. */
  ask<K extends QuestionType>(
    question: QuestionBody<K> & { type: K },
    each?: (answer: AnswerTo<K>) => void,
  ): Pending<AnswerTo<K>> {
    return this.#ask<AnswerTo<K>>(question, (part) => {
      if (kindOf(part) !== answers[question.type]) return undefined;
      each?.(part as AnswerTo<K>);
      return part as AnswerTo<K>;
    });
  }

  /** Asks the inspector. @param onNews gets its reports before the answer. */
  inspect<I extends Inspection>(
    inspection: I,
    params: InspectionParams<I>,
    onNews?: (news: InspectionNews<I>) => void,
  ): Pending<InspectionResult<I>> {
    const { news, result } = inspections[inspection];
    return this.#ask<InspectionResult<I>>({ type: "inspect", inspection, params }, (part) => {
      if (!("type" in part)) return undefined;
      if (part.type === "inspectionNews") onNews?.(news.parse(part.news) as InspectionNews<I>);
      return part.type === "inspected" ? (result.parse(part.answer) as InspectionResult<I>) : undefined;
    });
  }

  /** @param answerOf the answer in a part; undefined if the part is a report. */
  #ask<T>(question: QuestionBody, answerOf: (part: Part) => T | undefined): Pending<T> {
    const id = ++this.#ids;
    let fail: (why: string) => void = () => {};
    const answer = new Promise<T>((resolve, reject) => {
      let last: T | undefined;
      fail = (why) => reject(new Error(why));
      this.#waiting.set(id, {
        onPart: (part) => {
          last = answerOf(part) ?? last;
        },
        onDone: () => (last === undefined ? fail("The backend has no answer.") : resolve(last)),
        onProblem: fail,
        isSubscription: false,
      });
    });
    // A cancelled question may have no caller left that handles the error.
    answer.catch(() => {});
    if (this.#connected) this.#transport.send({ ...question, id } as Question);
    else this.#remove(id)?.onProblem(this.trouble ?? "The page is not connected to the backend yet.");
    return { answer, cancel: () => this.#cancel(id, "cancelled") };
  }

  /** Subscribes, unless the page is disconnected or hidden. @returns a function that unsubscribes. */
  subscribe<K extends "open" | "view" | "openRouting">(
    question: QuestionBody<K> & { type: K },
    { onAnswer, onMessage, onProblem }: Listener<K>,
  ): () => void {
    if (!this.#connected || !this.#seen) return () => {};
    const id = ++this.#ids;
    this.#waiting.set(id, {
      onPart: (part) => {
        if (kindOf(part) === answers[question.type]) onAnswer(part as AnswerTo<K>);
        else if ("type" in part) onMessage?.(part);
      },
      onDone: () => {},
      onProblem,
      isSubscription: true,
    });
    this.#transport.send({ ...question, id } as Question);
    return () => this.#cancel(id);
  }

  /** Ends all subscriptions and tells the page to request everything again. */
  restart(): void {
    this.#unsubscribe();
    if (this.#connected && this.#seen) this.#events.begin();
  }

  #unsubscribe(): void {
    for (const [id, { isSubscription }] of [...this.#waiting]) if (isSubscription) this.#cancel(id);
  }

  /** A hidden page has no subscriptions, but its pending questions are still answered. */
  #visible(seen: boolean): void {
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.restart();
  }

  #remove(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #cancel(id: number, why?: string): void {
    const waiting = this.#remove(id);
    if (!waiting) return;
    if (this.#connected) this.#transport.send({ type: "cancel", id });
    if (why !== undefined) waiting.onProblem(why);
  }

  #receive(id: number, part: Part): void {
    if ("type" in part && part.type === "done") this.#remove(id)?.onDone();
    else if ("type" in part && part.type === "problem") this.#remove(id)?.onProblem(part.text);
    else this.#waiting.get(id)?.onPart(part);
  }
}
