import type { Frame } from "../../server/protocol/frame.ts";
import { allDomains, heldOut, type PairMeasure, type RoutedModel } from "../../server/protocol/routing.ts";
import type { HubMessage, OfferedRun, PageMessage, StreamedRun } from "../../server/protocol/stream.ts";
import type { StageReference } from "../../server/protocol/streamed.ts";
import { mixedModels, modelId } from "../components/modelChoice.ts";
import type { Host } from "../host.ts";
import { Transport } from "../transport.ts";
import { Asking } from "./asking.ts";
import { FrameStore } from "./frameStore.ts";
import { Saturations } from "./saturation.ts";
import { stepOf } from "./snapshots.ts";
import type { PageState } from "./state.ts";

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

/** How much of its routing a model had at each probe of its training, [probes, layers, domains and all]. */
export type Settling = Pick<Extract<Frame, { kind: "saturation" }>, "values" | "steps" | "shape">;

/** Of each layer: what is measured of it, by domain and, last, of all. */
export type LayerRows = Extract<HubMessage, { type: "routingLayers" }>["rows"];

/** The router's softmax of a layer, as shares of held-out tokens [experts, bins]. */
export type Histogram = Pick<Extract<Frame, { kind: "histogram" }>, "values" | "probe">;

/** What the backend has told, and what it is to be asked next. */
export class Model {
  readonly #transport: Transport;
  readonly #changed: () => void;
  readonly frames: FrameStore;
  #state: PageState;
  #shown = true;
  #ids = 0;
  #told = "";
  readonly #transitions = new Asking<Pairs>();
  readonly #together = new Asking<Pairs>();
  readonly #load = new Asking<Load>();
  readonly #layers = new Asking<LayerRows>();
  readonly #histogram = new Asking<Histogram>();
  readonly #settling = new Asking<Settling>();
  readonly saturation: Saturations;

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
    this.saturation = new Saturations((message) => this.#send(message));
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

  /** Which expert follows or goes with which, up to a snapshot; of held-out text by domain. */
  pairs(model: RoutedModel, what: PairMeasure, snapshot: number, domain: number): Pairs | undefined {
    const { every, pairsEvery, layers, detailed } = model;
    const record = snapshot === heldOut ? heldOut : Math.floor(stepOf(model, snapshot) / (pairsEvery ?? every)) - 1;
    if (what === "transitions" && layers.length < 2) return undefined;
    if (snapshot === heldOut ? !detailed : pairsEvery === undefined || record < 0) return undefined;
    const of = snapshot === heldOut ? domain : allDomains;
    const asking = what === "transitions" ? this.#transitions : this.#together;
    return asking.look(modelId(model), JSON.stringify([record, of]), () =>
      this.#ask(model, (id, reference) => ({ type: "routingPairs", id, model: reference, what, snapshot, domain: of })),
    );
  }

  /** @param layer a place in the model's layers. @param columns of pixels. */
  load(model: RoutedModel, layer: number, domain: number, columns: number): Load | undefined {
    if (model.snapshots === 0) return undefined;
    const subject = JSON.stringify([modelId(model), layer, domain]);
    return this.#load.look(subject, JSON.stringify([columns, model.snapshots]), () =>
      this.#ask(model, (id, reference) => ({ type: "routingLoad", id, model: reference, layer, domain, columns })),
    );
  }

  /** Entropy and balance of every layer. */
  layers(model: RoutedModel, snapshot: number): LayerRows | undefined {
    return this.#layers.look(modelId(model), String(snapshot), () =>
      this.#ask(model, (id, reference) => ({ type: "routingLayers", id, model: reference, snapshot })),
    );
  }

  /** @param probe or `heldOut`: of the evaluation. @param layer a place in the model's layers. */
  histogram(model: RoutedModel, probe: number, layer: number, domain: number): Histogram | undefined {
    if (probe === heldOut && !model.detailed) return undefined;
    return this.#histogram.look(JSON.stringify([modelId(model), layer, domain]), String(probe), () =>
      this.#ask(model, (id, reference) => ({ type: "routingHistogram", id, model: reference, probe, layer, domain })),
    );
  }

  /** How early the routers were what they are. */
  settling(model: RoutedModel): Settling | undefined {
    if (!model.probes) return undefined;
    return this.#settling.look(modelId(model), String(model.probes), () =>
      this.#ask(model, (id, reference) => ({ type: "routingSaturation", id, model: reference })),
    );
  }

  #ask(model: RoutedModel, question: (id: number, reference: StageReference) => PageMessage): number {
    const id = ++this.#ids;
    this.#send(question(id, referenceOf(modelId(model))));
    return id;
  }

  get #askings(): Asking<unknown>[] {
    return [this.#transitions, this.#together, this.#load, this.#layers, this.#histogram, this.#settling];
  }

  #send(message: PageMessage): void {
    this.#transport.send(message);
  }

  #begin(): void {
    this.#told = "";
    for (const asking of this.#askings) asking.forget();
    this.saturation.forget();
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
        for (const asking of this.#askings) asking.refuse();
        this.frames.refuse();
        break;
      case "routingLayers":
        this.#layers.take(message.id, message.rows);
        break;
      case "inspectionNews":
      case "inspected":
      case "inspectionFailed":
        this.saturation.take(message);
        break;
    }
    this.#changed();
  }

  /** Opens the mixed models of the runs, each once. */
  #open(): void {
    const models = mixedModels(this.runs);
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
    if (frame.kind === "routing") {
      if (!this.frames.take(modelId(frame), frame, frame.values)) return;
    } else if (frame.kind === "pairs")
      (frame.what === "transitions" ? this.#transitions : this.#together).take(frame.id, frame);
    else if (frame.kind === "load") this.#load.take(frame.id, frame);
    else if (frame.kind === "histogram") this.#histogram.take(frame.id, frame);
    else if (frame.kind === "saturation") this.#settling.take(frame.id, frame);
    this.#changed();
  }
}

function referenceOf(id: string): StageReference {
  const [root = "", key = ""] = id.split("\n");
  return { root, key };
}
