import type { RoutedModel } from "../server/protocol/routing.ts";
import type { StageReference } from "../server/protocol/stream.ts";
import { mixedModels } from "./components/modelChoice.ts";
import { PageRuns } from "./pageRuns.ts";

/** The mixed models of a page's runs, kept up to date. */
export class PageModels extends PageRuns {
  #end: (() => void) | undefined;
  /** The models in the current subscription. */
  #asked = "";
  /** All models, including unreadable ones. */
  models: readonly RoutedModel[] = [];
  /** Whether the models are known, even if there are none. */
  opened = false;

  /** Finished models that can be read and inspected. */
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
        onAnswer: (answer) => {
          this.models = answer.models;
          this.opened = true;
          this.onModels();
          this.changed();
        },
        onProblem: (why) => this.showProblem(why),
      },
    );
  }

  /** Called when models arrive or change. */
  protected onModels(): void {}
}

/** How the stream identifies a model. */
export const referenceOf = ({ root, key }: RoutedModel): StageReference => ({ root, key });
/** How the inspector identifies a model. */
export const inspectedModel = ({ root, run, name }: RoutedModel) => ({ root, run, stage: name });
