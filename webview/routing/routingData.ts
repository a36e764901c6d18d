import type { Frame } from "../../server/protocol/frame.ts";
import type { InspectionResult } from "../../server/protocol/inspect.ts";
import type { PairMeasure } from "../../server/protocol/measures.ts";
import { allDomains, heldOut, type RoutedModel } from "../../server/protocol/routing.ts";
import type { HubMessage } from "../../server/protocol/stream.ts";
import { Answer } from "../answer.ts";
import { modelId, modelReference } from "../components/modelChoice.ts";
import type { Host } from "../host.ts";
import { PageModels, referenceOf } from "../pageModels.ts";
import type { AnswerTo } from "../streamClient.ts";
import { FrameStore } from "./frameStore.ts";
import { stepOf } from "./snapshots.ts";
import type { PageState } from "./state.ts";

type FrameOf<K extends Frame["kind"]> = Extract<Frame, { kind: K }>;

/** How one expert follows another, at the last record before a snapshot, [layers - 1, experts, experts]. */
export type Pairs = Pick<FrameOf<"pairs">, "values" | "step">;
/** Routed shares of a layer over time, [points, experts]. */
export type Load = Pick<FrameOf<"load">, "values" | "steps">;
/** Share of a model's final routing reached at each probe during training, [probes, layers, domains + 1]. */
export type SaturationOverTraining = Pick<FrameOf<"saturation">, "values" | "steps" | "shape">;
/** Measures of each layer, by domain and, last, for all domains. */
export type LayerRows = Extract<HubMessage, { type: "routingLayers" }>["rows"];
/** Share of held-out tokens by router probability in a layer, [experts, bins]. */
export type Histogram = Pick<FrameOf<"histogram">, "values" | "probe">;
/** Router saturation of a model since the mix. */
export type Saturation = InspectionResult<"saturation">;

/** The routing page's data about its models. */
export class RoutingData extends PageModels {
  readonly frames: FrameStore;
  readonly #transitions: Answer<Pairs>;
  readonly #coActivation: Answer<Pairs>;
  readonly #load: Answer<Load>;
  readonly #layers: Answer<AnswerTo<"routingLayers">>;
  readonly #histogram: Answer<Histogram>;
  readonly #saturationOverTraining: Answer<SaturationOverTraining>;
  /** By id of the model; requested by the user. */
  readonly #saturations = new Map<string, Answer<Saturation>>();

  /** @param changed is called when there is something new to show. */
  constructor(host: Host, { runs }: PageState, changed: () => void) {
    super(host, runs, changed);
    const answer = <T>() => new Answer<T>(changed);
    this.#transitions = answer();
    this.#coActivation = answer();
    this.#load = answer();
    this.#layers = answer();
    this.#histogram = answer();
    this.#saturationOverTraining = answer();
    this.frames = new FrameStore((model, measure, snapshots, take) => {
      const question = { type: "routing", model: modelReference(model), snapshots, measure } as const;
      return this.client.ask(question, (frame) => {
        if (take(frame)) changed();
      }).answer;
    });
  }

  protected override onBegin(): void {
    for (const answer of this.#answers) answer.invalidate();
    super.onBegin();
  }

  protected override onModels(): void {
    this.frames.retry();
  }

  get #answers(): Answer<unknown>[] {
    return [
      this.#transitions,
      this.#coActivation,
      this.#load,
      this.#layers,
      this.#histogram,
      this.#saturationOverTraining,
    ];
  }

  /** Why updates are missing. */
  override get trouble(): string | undefined {
    return super.trouble ?? [this.frames, ...this.#answers].find(({ problem }) => problem)?.problem;
  }

  /** Which experts follow each other or are chosen together, up to a snapshot; by domain for held-out text only. */
  pairs(model: RoutedModel, what: PairMeasure, snapshot: number, domain: number): Pairs | undefined {
    const { every, pairsEvery, layers, detailed } = model;
    const record = snapshot === heldOut ? heldOut : Math.floor(stepOf(model, snapshot) / (pairsEvery ?? every)) - 1;
    if (what === "transitions" && layers.length < 2) return undefined;
    if (snapshot === heldOut ? !detailed : pairsEvery === undefined || record < 0) return undefined;
    const of = snapshot === heldOut ? domain : allDomains;
    const answer = what === "transitions" ? this.#transitions : this.#coActivation;
    return answer.request(modelId(model), JSON.stringify([record, of]), () =>
      this.client.ask({ type: "routingPairs", model: referenceOf(model), what, snapshot, domain: of }),
    );
  }

  /** @param layer index in the model's layers. @param columns number of pixel columns. */
  load(model: RoutedModel, layer: number, domain: number, columns: number): Load | undefined {
    if (model.snapshots === 0) return undefined;
    const subject = JSON.stringify([modelId(model), layer, domain]);
    return this.#load.request(subject, JSON.stringify([columns, model.snapshots]), () =>
      this.client.ask({ type: "routingLoad", model: referenceOf(model), layer, domain, columns }),
    );
  }

  /** Entropy and balance of every layer. */
  layers(model: RoutedModel, snapshot: number): LayerRows | undefined {
    return this.#layers.request(modelId(model), String(snapshot), () =>
      this.client.ask({ type: "routingLayers", model: referenceOf(model), snapshot }),
    )?.rows;
  }

  /** @param probe or `heldOut` for the evaluation. @param layer index in the model's layers. */
  histogram(model: RoutedModel, probe: number, layer: number, domain: number): Histogram | undefined {
    if (probe === heldOut && !model.detailed) return undefined;
    return this.#histogram.request(JSON.stringify([modelId(model), layer, domain]), String(probe), () =>
      this.client.ask({ type: "routingHistogram", model: referenceOf(model), probe, layer, domain }),
    );
  }

  saturationOverTraining(model: RoutedModel): SaturationOverTraining | undefined {
    if (!model.probes) return undefined;
    return this.#saturationOverTraining.request(modelId(model), String(model.probes), () =>
      this.client.ask({ type: "routingSaturation", model: referenceOf(model) }),
    );
  }

  /** Saturation since the mix, if requested. */
  saturation(model: RoutedModel): Answer<Saturation> | undefined {
    return this.#saturations.get(modelId(model));
  }

  /** Asks the inspector to measure saturation, for one model at a time. */
  measureSaturation(model: RoutedModel): void {
    const { root, run, name, from } = model;
    if (from === undefined) return;
    this.cancelSaturation();
    const answer = new Answer<Saturation>(this.changed);
    this.#saturations.set(modelId(model), answer);
    const params = { model: { root, run, stage: name }, other: { root, run, stage: from } };
    answer.request("", "", (progress) => this.client.inspect("saturation", params, progress));
  }

  cancelSaturation(): void {
    for (const answer of this.#saturations.values()) if (answer.isPending) answer.clear();
  }
}
