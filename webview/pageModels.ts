import type { RoutedModel } from "../server/protocol/routing.ts";
import type { StageReference } from "../server/protocol/stream.ts";
import { mixedModels } from "./components/modelChoice.ts";
import { PageRuns } from "./pageRuns.ts";

/** The mixed models of the runs that a page is about, kept up to date. */
export class PageModels extends PageRuns {
  #end: (() => void) | undefined;
  /** The models that are subscribed to. */
  #asked = "";
  /** All models, including unreadable ones. */
  models: readonly RoutedModel[] = [];
  /** The models are known, even if the list is empty. */
  opened = false;

  /** Those that can be read and asked. */
  get finished(): readonly RoutedModel[] {
    return this.models.filter(
      ({ layers, problem, state }) => layers.length > 0 && problem === undefined && state === "done",
    );
  }

  protected override onBegin(): void {
    this.#asked = "";
    super.onBegin();
  }

  protected override onRuns(): void {
    const models = mixedModels(this.runs);
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
          this.onModels();
          this.changed();
        },
        refused: (why) => this.refused(why),
      },
    );
  }

  /** The models are there, or have changed. */
  protected onModels(): void {}
}

/** A model as the stream knows it. */
export const referenceOf = ({ root, key }: RoutedModel): StageReference => ({ root, key });
/** A model as the inspector knows it. */
export const inspectedModel = ({ root, run, name }: RoutedModel) => ({ root, run, stage: name });
