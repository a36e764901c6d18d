import { type InspectionProgress, inspections, progressSchema } from "../../server/protocol/inspect.ts";
import type { RoutedModel } from "../../server/protocol/routing.ts";
import type { HubMessage, PageMessage } from "../../server/protocol/stream.ts";

/** Router saturation of a model since its mixing, [layers][domains and all], as far as it was asked for. */
export interface SaturationAnswer {
  progress?: InspectionProgress;
  layers?: readonly number[];
  domains?: readonly string[];
  values?: readonly (readonly number[])[];
  problem?: string;
}

type Told = Extract<HubMessage, { type: "inspectionNews" | "inspected" | "inspectionFailed" }>;

const keyOf = ({ root, key }: RoutedModel): string => `${root}\n${key}`;

/** Asks the inspector, once a model, and keeps what it says. */
export class Saturations {
  readonly #send: (message: PageMessage) => void;
  readonly #answers = new Map<string, SaturationAnswer>();
  /** Number of the question that is on its way, and what it is about. */
  #asked: { id: number; model: string } | undefined;
  // Numbers of their own kind: only inspections are answered by them.
  #ids = 0;

  constructor(send: (message: PageMessage) => void) {
    this.#send = send;
  }

  of(model: RoutedModel): SaturationAnswer | undefined {
    return this.#answers.get(keyOf(model));
  }

  ask(model: RoutedModel): void {
    const { root, run, name, from } = model;
    if (from === undefined) return;
    this.cancel();
    this.#asked = { id: ++this.#ids, model: keyOf(model) };
    this.#answers.set(keyOf(model), { progress: { done: 0, total: 0 } });
    const params = { model: { root, run, stage: name }, other: { root, run, stage: from } };
    this.#send({ type: "inspect", id: this.#asked.id, inspection: "saturation", params });
  }

  cancel(): void {
    if (!this.#asked) return;
    this.#send({ type: "cancelInspection", id: this.#asked.id });
    this.forget();
  }

  /** There is a new connection: what is on its way will not come. */
  forget(): void {
    if (this.#asked) this.#answers.delete(this.#asked.model);
    this.#asked = undefined;
  }

  take(message: Told): void {
    if (this.#asked?.id !== message.id) return;
    const { model } = this.#asked;
    if (message.type === "inspectionNews") {
      const progress = progressSchema.safeParse(message.news);
      if (progress.success) this.#answers.set(model, { progress: progress.data });
      return;
    }
    this.#asked = undefined;
    if (message.type === "inspectionFailed") {
      this.#answers.set(model, { problem: message.why });
      return;
    }
    const { layers, domains, saturation } = inspections.saturation.result.parse(message.answer);
    this.#answers.set(model, { layers, domains, values: saturation });
  }
}
