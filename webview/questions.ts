import type { RunReference } from "../server/protocol/editor/basics.ts";
import type { Frame } from "../server/protocol/frame.ts";
import {
  type Inspected,
  type Inspection,
  type InspectionNews,
  type InspectionResult,
  inspections,
} from "../server/protocol/inspect.ts";
import type { ExpertOrigin } from "../server/protocol/pageInspections.ts";
import { allDomains, heldOut, type RoutedModel } from "../server/protocol/routing.ts";
import type { HubMessage, OfferedRun, PageMessage, StageReference, StreamedRun } from "../server/protocol/stream.ts";
import { mixedModels } from "./components/modelChoice.ts";
import type { Host } from "./host.ts";
import { Transport } from "./transport.ts";

interface Pending {
  resolve(answer: unknown): void;
  reject(error: Error): void;
  news?: (news: unknown) => void;
}

/** A question on its way. */
export interface Question<T> {
  answer: Promise<T>;
  cancel(): void;
}

/** Shares of a layer's tokens by expert over training: [points, experts]. */
export interface Load {
  steps: readonly number[];
  values: Float32Array;
}

export const referenceOf = ({ root, key }: StageReference): StageReference => ({ root, key });

/** As the inspector knows a model. */
export const inspectedModel = ({ root, run, name }: RoutedModel) => ({ root, run, stage: name });

/** What pages about one model are told, and their questions to the backend. */
export class Questions {
  readonly #transport: Transport;
  readonly #changed: () => void;
  readonly #pending = new Map<number, Pending>();
  #about: readonly RunReference[];
  #ids = 0;
  #told = "";
  runs: readonly StreamedRun[] = [];
  offered: readonly OfferedRun[] | undefined;
  /** Mixed models of the runs that can be read and asked. */
  models: readonly RoutedModel[] = [];
  opened = false;
  trouble: string | undefined;
  roots: readonly string[] = [];

  /** @param changed is called when something else is known. */
  constructor(host: Host, about: readonly RunReference[], changed: () => void) {
    this.#about = about;
    this.#changed = changed;
    this.#transport = new Transport(host, {
      connected: () => {
        this.trouble = undefined;
        this.#begin();
      },
      disconnected: (why) => {
        this.trouble = why;
        this.#refuse(why);
        this.#changed();
      },
      message: (message) => this.#receive(message),
      frame: (frame) => this.#take(frame),
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#begin();
      else if (this.#pending.size === 0) this.#send({ type: "pause" });
    });
  }

  /** The runs whose models are offered. */
  set about(runs: readonly RunReference[]) {
    if (JSON.stringify(runs) === JSON.stringify(this.#about)) return;
    this.#about = runs;
    this.#begin();
  }

  offerRuns(): void {
    this.#send({ type: "runs", roots: [...new Set([...this.roots, ...this.#about.map(({ root }) => root)])] });
  }

  /** Asks the inspector. The answer is rejected with a sentence for people. */
  inspect<I extends Inspection>(
    inspection: I,
    params: Inspected<I>,
    onNews?: (news: InspectionNews<I>) => void,
  ): Question<InspectionResult<I>> {
    const { news, result } = inspections[inspection];
    const id = ++this.#ids;
    const asked = this.#wait(id, onNews && ((given) => onNews(news.parse(given) as InspectionNews<I>)));
    this.#send({ type: "inspect", id, inspection, params });
    return {
      answer: asked.then((given) => result.parse(given) as InspectionResult<I>),
      cancel: () => {
        if (!this.#pending.has(id)) return;
        this.#send({ type: "cancelInspection", id });
        this.#pending.get(id)!.reject(new Error("cancelled"));
        this.#pending.delete(id);
      },
    };
  }

  origin(model: RoutedModel, expert: string): Promise<ExpertOrigin> {
    return this.#ask<ExpertOrigin>((id) => ({ type: "expertOrigin", id, model: referenceOf(model), expert }));
  }

  /** @param layer a place in the model's layers. @param domain a place in its domains, or `allDomains`. */
  load(model: RoutedModel, layer: number, domain: number, columns: number): Promise<Load> {
    return this.#ask<Load>((id) => ({ type: "routingLoad", id, model: referenceOf(model), layer, domain, columns }));
  }

  /** Of the tokens of an expert the share that others got too, [layers, experts, experts]; held out, or else of training. */
  together(model: RoutedModel): Promise<{ values: Float32Array }> {
    const snapshot = model.detailed ? heldOut : Math.max(0, model.snapshots - 1);
    const [what, domain] = ["coActivation", allDomains] as const;
    return this.#ask((id) => ({ type: "routingPairs", id, model: referenceOf(model), what, snapshot, domain }));
  }

  /** Tokens that chose each expert, as shares of a domain's, [domains + 1, layers, experts]. */
  chosen(model: RoutedModel): Promise<{ values: Float32Array }> {
    const snapshots = [model.evaluated ? heldOut : Math.max(0, model.snapshots - 1)];
    const measure = "domainSpecialisation";
    return this.#ask((id) => ({ type: "routing", id, model: referenceOf(model), snapshots, measure }));
  }

  #ask<T>(question: (id: number) => PageMessage): Promise<T> {
    const id = ++this.#ids;
    const answer = this.#wait(id) as Promise<T>;
    this.#send(question(id));
    return answer;
  }

  #wait(id: number, news?: (news: unknown) => void): Promise<unknown> {
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject, ...(news ? { news } : {}) }));
  }

  #settle(id: number, act: (pending: Pending) => void): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending) act(pending);
  }

  #refuse(why: string): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id, ({ reject }) => reject(new Error(why)));
  }

  #send(message: PageMessage): void {
    this.#transport.send(message);
  }

  #begin(): void {
    this.#told = "";
    this.#send({ type: "open", runs: [...this.#about] });
    if (this.#about.length === 0 || this.offered) this.offerRuns();
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
        this.models = message.models.filter(({ layers, problem }) => layers.length > 0 && problem === undefined);
        this.opened = true;
        break;
      case "inspectionNews":
        this.#pending.get(message.id)?.news?.(message.news);
        return;
      case "inspected":
        this.#settle(message.id, ({ resolve }) => resolve(message.answer));
        return;
      case "inspectionFailed":
        this.#settle(message.id, ({ reject }) => reject(new Error(message.why)));
        return;
      case "expertOrigin":
        this.#settle(message.id, ({ resolve }) => resolve(message.origin));
        return;
      case "problem":
        // It names no question: none of those on their way is sure to be answered.
        this.#refuse(message.text);
        break;
    }
    this.#changed();
  }

  #take(frame: Frame): void {
    if (frame.kind !== "points" && frame.kind !== "text") this.#settle(frame.id, ({ resolve }) => resolve(frame));
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
}
