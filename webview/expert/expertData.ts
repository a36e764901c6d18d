import type { RunReference } from "../../server/protocol/editor/basics.ts";
import type { ExpertFacts, InspectionProgress, Without } from "../../server/protocol/inspect.ts";
import type { ExpertOrigin } from "../../server/protocol/pageInspections.ts";
import { allDomains, heldOut, type RoutedModel } from "../../server/protocol/routing.ts";
import { Answer } from "../answer.ts";
import type { Host } from "../host.ts";
import { inspectedModel, PageModels, referenceOf } from "../pageModels.ts";
import { mapPending, type Pending } from "../streamClient.ts";
import { type CoActivation, coActivationOf } from "./coActivation.ts";
import { type DomainUse, domainUseOf } from "./domainUse.ts";

/** Points of each curve of use. */
const columns = 200;
/** Maximum number of layers to average, evenly spaced: each takes one question per domain. */
const maxLayers = 8;

/** The page's subject: an expert of a model, in one layer or in all. */
export interface About {
  model: RoutedModel;
  name: string;
  /** Index of the expert. */
  expert: number;
  /** Number of the layer in the model; undefined for all layers. */
  layer: number | undefined;
}

/** The expert page's data about models and about its expert. */
export class ExpertData extends PageModels {
  readonly origin: Answer<ExpertOrigin>;
  readonly facts: Answer<ExpertFacts>;
  readonly use: Answer<DomainUse>;
  readonly coActivation: Answer<CoActivation>;
  readonly without: Answer<Without>;
  readonly withoutLayers: Answer<Without[]>;
  /** The expert and layer that `without` and `withoutLayers` are about. */
  #measured = "";

  /** @param changed is called when there is something new to show. */
  constructor(host: Host, about: readonly RunReference[], changed: () => void) {
    super(host, about, changed);
    const answer = <T>() => new Answer<T>(changed);
    this.origin = answer();
    this.facts = answer();
    this.use = answer();
    this.coActivation = answer();
    this.without = answer();
    this.withoutLayers = answer();
  }

  /** Requests what is shown without a user action. */
  requestShown(about: About): void {
    const { model, name, expert } = about;
    const { client } = this;
    const key = keyOf(about);
    const request = <T>(answer: Answer<T>, subject: string, ask: (progress: OnProgress) => Pending<T>) =>
      answer.request(subject, "", ask);
    request(this.origin, JSON.stringify([model.root, model.key, name]), () =>
      mapPending(client.ask({ type: "expertOrigin", model: referenceOf(model), expert: name }), ({ origin }) => origin),
    );
    request(this.facts, key, (progress) => client.inspect("expert", paramsOf(about), progress));
    const places = placesOf(about);
    if (model.snapshots > 0)
      request(this.use, `${key} ${model.snapshots}`, () => {
        const of = { type: "routingLoad", model: referenceOf(model), columns } as const;
        const loads = model.domains.map((_, domain) =>
          all(spaced(places).map((layer) => client.ask({ ...of, layer, domain }))),
        );
        return mapPending(all(loads), (found) => domainUseOf(found, expert, model.experts.length));
      });
    if (model.k > 1 && (model.detailed || model.pairsEvery !== undefined))
      request(this.coActivation, key, () =>
        mapPending(all([this.#pairs(model), this.#chosen(model)]), ([pairs, chosen]) =>
          coActivationOf(model, pairs.values, chosen.values, expert, places),
        ),
      );
    // Drop results of another expert or layer.
    if (this.#measured !== key) {
      this.#measured = key;
      this.without.clear();
      this.withoutLayers.clear();
    }
  }

  /** Share of each expert's tokens that go to each other one, [layers, experts, experts]; held-out if recorded. */
  #pairs(model: RoutedModel) {
    const snapshot = model.detailed ? heldOut : Math.max(0, model.snapshots - 1);
    const of = { type: "routingPairs", what: "coActivation", domain: allDomains } as const;
    return this.client.ask({ ...of, model: referenceOf(model), snapshot });
  }

  /** Share of each domain's tokens that chose each expert, [domains + 1, layers, experts]. */
  #chosen(model: RoutedModel) {
    const snapshots = [model.evaluated ? heldOut : Math.max(0, model.snapshots - 1)];
    const of = { type: "routing", measure: "domainSpecialisation" } as const;
    return this.client.ask({ ...of, model: referenceOf(model), snapshots });
  }

  measure(about: About): void {
    this.without.request(keyOf(about), "", (progress) => this.client.inspect("without", paramsOf(about), progress));
  }

  measureLayers({ model, name }: About): void {
    const { layers } = model;
    this.withoutLayers.request(JSON.stringify([model.root, model.key, name]), "", (progress) => {
      let asked: Pending<Without> | undefined;
      let cancelled = false;
      const each = async () => {
        const found: Without[] = [];
        for (const layer of layers) {
          if (cancelled) throw new Error("cancelled");
          const done = found.length;
          const params = { model: inspectedModel(model), expert: name, layer };
          asked = this.client.inspect("without", params, (news) =>
            progress({ done: done + (news.total > 0 ? news.done / news.total : 0), total: layers.length }),
          );
          found.push(await asked.answer);
        }
        return found;
      };
      return {
        answer: each(),
        cancel: () => {
          cancelled = true;
          asked?.cancel();
        },
      };
    });
  }

  /** Requests missing answers again. */
  protected override onBegin(): void {
    for (const answer of [this.origin, this.facts, this.use, this.coActivation])
      if (answer.value === undefined) answer.invalidate();
    super.onBegin();
  }
}

type OnProgress = (news: InspectionProgress) => void;

/** Combines several pending answers into one. */
const all = <const T extends readonly Pending<unknown>[]>(pending: T) => ({
  answer: Promise.all(pending.map(({ answer }) => answer)) as Promise<{
    [K in keyof T]: T[K] extends Pending<infer A> ? A : never;
  }>,
  cancel() {
    for (const { cancel } of pending) cancel();
  },
});

const keyOf = ({ model, name, layer }: About): string => JSON.stringify([model.root, model.key, name, layer]);

const paramsOf = ({ model, name, layer }: About) => ({
  model: inspectedModel(model),
  expert: name,
  ...(layer === undefined ? {} : { layer }),
});

/** Indices of the layers that the page is about. */
const placesOf = ({ model: { layers }, layer }: About): number[] =>
  layer === undefined ? [...layers.keys()] : [layers.indexOf(layer)];

const spaced = (places: readonly number[]): number[] =>
  places.length <= maxLayers
    ? [...places]
    : Array.from({ length: maxLayers }, (_, at) => places[Math.round((at * (places.length - 1)) / (maxLayers - 1))]!);
