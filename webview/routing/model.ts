import type { Frame, RoutingHeader } from "../../server/protocol/frame.ts";
import { allDomains, heldOut, mostModels, type RoutedModel } from "../../server/protocol/routing.ts";
import type { HubMessage, OfferedRun, PageMessage, StreamedRun } from "../../server/protocol/stream.ts";
import type { StageReference } from "../../server/protocol/streamed.ts";
import type { Host } from "../host.ts";
import { Transport } from "../transport.ts";
import { FrameStore } from "./frames.ts";
import { stepOf } from "./snapshots.ts";
import type { PageState } from "./state.ts";

export const modelId = ({ root, key }: StageReference): string => `${root}\n${key}`;

/** Kinds of stages that train mixed models. */
const mixedKinds = new Set(["finetune", "upcycling"]);

/** How one expert follows another, at the last record before a snapshot, [layers - 1, experts, experts]. */
export interface Pairs {
  values: Float32Array;
  step: number;
}
/** Routed shares of a layer over time, [points, experts]. */
export interface Load {
  values: Float32Array;
  steps: readonly number[];
}

/** One answer that is shown, until the next one is there. One question at a time. */
interface Asked<T> {
  /** What was asked last, and its number while it is on its way. */
  key: string;
  id: number | undefined;
  answer: T | undefined;
}

/** What the backend has told, and what it is to be asked next. */
export class Model {
  readonly #transport: Transport;
  readonly #changed: () => void;
  readonly frames: FrameStore;
  #state: PageState;
  #shown = true;
  #ids = 0;
  #told = "";
  #pairs: Asked<Pairs> = { key: "", id: undefined, answer: undefined };
  #load: Asked<Load> = { key: "", id: undefined, answer: undefined };

  runs: readonly StreamedRun[] = [];
  offered: readonly OfferedRun[] | undefined;
  models: readonly RoutedModel[] = [];
  trouble: string | undefined;
  /** The models have been told, or there are none. */
  opened = false;
  /** Run folders to choose runs from. */
  roots: readonly string[] = [];

  /** @param changed is called when there is something else to show. */
  constructor(host: Host, state: PageState, changed: () => void) {
    this.#state = state;
    this.#changed = changed;
    this.frames = new FrameStore((names) => {
      const { model, measure } = names[0]!;
      const snapshots = names.map(({ snapshot }) => snapshot);
      this.#send({ type: "routing", id: ++this.#ids, model: referenceOf(model), snapshots, measure });
    });
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
    if (JSON.stringify(before.runs) !== JSON.stringify(state.runs)) this.#begin();
  }

  offerRuns(): void {
    const roots = new Set([...this.roots, ...this.#state.runs.map(({ root }) => root)]);
    this.#send({ type: "runs", roots: [...roots] });
  }

  /** Transitions up to a snapshot; of held-out text by domain. */
  pairs(model: RoutedModel, snapshot: number, domain: number): Pairs | undefined {
    const { every, pairsEvery } = model;
    const record = snapshot === heldOut ? heldOut : Math.floor(stepOf(model, snapshot) / (pairsEvery ?? every)) - 1;
    if (model.layers.length < 2 || (snapshot !== heldOut && (pairsEvery === undefined || record < 0))) return undefined;
    const of = snapshot === heldOut ? domain : allDomains;
    const key = JSON.stringify([modelId(model), record, of]);
    return this.#look(this.#pairs, modelId(model), key, (id) =>
      this.#send({
        type: "routingPairs",
        id,
        model: referenceOf(modelId(model)),
        what: "transitions",
        snapshot,
        domain: of,
      }),
    );
  }

  /** @param layer a place in the model's layers. @param columns of pixels. */
  load(model: RoutedModel, layer: number, domain: number, columns: number): Load | undefined {
    if (model.snapshots === 0) return undefined;
    const key = JSON.stringify([modelId(model), layer, domain, columns, model.snapshots]);
    return this.#look(this.#load, JSON.stringify([modelId(model), layer, domain]), key, (id) =>
      this.#send({ type: "routingLoad", id, model: referenceOf(modelId(model)), layer, domain, columns }),
    );
  }

  /** @param of what an answer stands for: that of another is not shown. */
  #look<T>(asked: Asked<T>, of: string, key: string, ask: (id: number) => void): T | undefined {
    const subject = `${of}\n`;
    if (asked.key !== subject + key && (asked.id === undefined || !asked.key.startsWith(subject))) {
      if (!asked.key.startsWith(subject)) asked.answer = undefined;
      asked.key = subject + key;
      asked.id = ++this.#ids;
      ask(asked.id);
    }
    return asked.answer;
  }

  #send(message: PageMessage): void {
    this.#transport.send(message);
  }

  #begin(): void {
    this.#told = "";
    for (const asked of [this.#pairs, this.#load]) {
      asked.key = "";
      asked.id = undefined;
    }
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
        this.runs = message.runs;
        this.#open();
        break;
      case "routingOpened":
        this.models = message.models;
        this.opened = true;
        this.frames.begin();
        break;
      case "problem":
        this.trouble = message.text;
        this.#pairs.id = undefined;
        this.#load.id = undefined;
        this.frames.refuse();
        break;
    }
    this.#changed();
  }

  /** Opens the mixed models of the runs, each once. */
  #open(): void {
    const found = new Map<string, StageReference>();
    for (const { root, stages } of this.runs)
      for (const { key, kind } of stages) if (mixedKinds.has(kind)) found.set(modelId({ root, key }), { root, key });
    const models = [...found.values()].slice(0, mostModels);
    const told = JSON.stringify(models);
    if (told === this.#told) return;
    this.#told = told;
    if (models.length > 0) this.#send({ type: "openRouting", models });
    else {
      this.models = [];
      this.opened = true;
    }
  }

  #take(frame: Frame): void {
    if (frame.kind === "routing") this.frames.take(modelId(frame), frame, frame.values);
    else if (frame.kind === "pairs") answered(this.#pairs, frame, { values: frame.values, step: frame.step });
    else if (frame.kind === "load") answered(this.#load, frame, { values: frame.values, steps: frame.steps });
    this.#changed();
  }
}

function answered<T>(asked: Asked<T>, { id }: RoutingHeader, answer: T): void {
  if (asked.id !== id) return;
  asked.id = undefined;
  asked.answer = answer;
}

function referenceOf(id: string): StageReference {
  const [root = "", key = ""] = id.split("\n");
  return { root, key };
}
