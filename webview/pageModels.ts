import type { RunReference } from "../server/protocol/editor/basics.ts";
import type { RoutedModel } from "../server/protocol/routing.ts";
import type { StageReference } from "../server/protocol/stream.ts";
import { mixedModels } from "./components/modelChoice.ts";
import type { Host } from "./host.ts";
import { PageRuns } from "./pageRuns.ts";

export interface ModelsEvents {
  /** Connected, seen again, or about other runs: everything is to be asked for anew. */
  begin?(): void;
  /** The models are there, or have changed. */
  opened?(): void;
  /** There is something else to show. */
  changed(): void;
}

/** The mixed models of the runs that a page is about, kept up to date. */
export class PageModels {
  readonly runs: PageRuns;
  readonly #events: ModelsEvents;
  #end: (() => void) | undefined;
  /** The models that are subscribed to. */
  #asked = "";
  #problem: string | undefined;
  /** All of them, also those that cannot be read. */
  models: readonly RoutedModel[] = [];
  /** The models are known, or there are none. */
  opened = false;

  constructor(host: Host, about: readonly RunReference[], events: ModelsEvents) {
    this.#events = events;
    this.runs = new PageRuns(host, about, {
      begin: () => {
        this.#asked = "";
        this.#problem = undefined;
        events.begin?.();
      },
      opened: () => this.#open(),
      changed: events.changed,
    });
  }

  get client() {
    return this.runs.client;
  }

  /** Why there is nothing new. */
  get trouble(): string | undefined {
    return this.runs.trouble ?? this.#problem;
  }

  /** Those that can be read and asked. */
  get finished(): readonly RoutedModel[] {
    return this.models.filter(
      ({ layers, problem, state }) => layers.length > 0 && problem === undefined && state === "done",
    );
  }

  #open(): void {
    const models = mixedModels(this.runs.runs);
    const asked = JSON.stringify(models);
    if (asked === this.#asked) return;
    this.#asked = asked;
    this.#end?.();
    if (models.length === 0) {
      this.models = [];
      this.opened = true;
      return;
    }
    this.#end = this.client.subscribe(
      { type: "openRouting", models },
      {
        heard: (answer) => {
          this.models = answer.models;
          this.opened = true;
          this.#events.opened?.();
          this.#events.changed();
        },
        refused: (why) => {
          this.#problem = why;
          this.#events.changed();
        },
      },
    );
  }
}

/** A model as the backend knows it. */
export const referenceOf = ({ root, key }: RoutedModel): StageReference => ({ root, key });
/** A model as the inspector knows it. */
export const inspectedModel = ({ root, run, name }: RoutedModel) => ({ root, run, stage: name });
