import { html, type TemplateResult } from "lit";
import { cellMeasures, otherMeasures } from "../../server/protocol/measures.ts";
import { takesK } from "../../server/protocol/model.ts";
import type { Start } from "../../server/protocol/page.ts";
import { csvBytes, fileName } from "../components/csv.ts";
import { expertClass } from "../components/experts.ts";
import { measureHelp } from "../components/measureHelp.ts";
import { modelId, modelName, option, select } from "../components/modelChoice.ts";
import { placeholder } from "../components/placeholder.ts";
import { runChoice } from "../components/runChooser.ts";
import type { Host } from "../host.ts";
import { PageElement } from "../pageElement.ts";
import { inspectedModel } from "../pageModels.ts";
import type { Pending } from "../streamClient.ts";
import { coActivationSection } from "./coActivation.ts";
import { domainUseSection } from "./domainUse.ts";
import { type About, ExpertData } from "./expertData.ts";
import { factsSection } from "./expertFacts.ts";
import { lossWithoutSection } from "./lossWithoutExpert.ts";
import { particularRows, particularSection } from "./particularTokens.ts";
import { emptySide, type Side, sideBySideSection, withToken } from "./sideBySide.ts";
import { type PageState, stateSchema } from "./state.ts";
import { distanceRows, distancesSection } from "./weightDistances.ts";

/** The page about one expert of a mixed model. */
export class ExpertPage extends PageElement<PageState> {
  #data: ExpertData | undefined;
  /** Whether all particular tokens are shown. */
  #all = false;
  #sides: Side[] = [];
  #writing: Pending<unknown> | undefined;

  constructor() {
    super(stateSchema);
  }

  protected override start(start: Start, host: Host): void {
    const { runs, roots = [], model, expert, layer } = start;
    this.#data ??= new ExpertData(host, runs.length > 0 ? runs : this.state.runs, () => this.#dataChanged());
    this.#data.roots = roots;
    if (this.isAboutOtherRuns(start) || (runs.length > 0 && expert !== undefined))
      this.#change({ runs, model: model && modelId(model), expert, layer, other: undefined });
  }

  #change = (change: Partial<PageState>): void => {
    const other = change.model !== undefined || change.expert !== undefined;
    this.change({ ...(change.model === undefined ? {} : { expert: undefined, layer: undefined }), ...change });
    if (other) {
      this.#cancel();
      this.#sides = [];
      this.#all = false;
    }
    if (this.#data) this.#data.about = this.state.runs;
    this.#dataChanged();
  };

  #dataChanged(): void {
    const about = this.#about;
    this.setTitle(about ? `${about.name} of ${about.model.name}` : "Expert");
    this.requestUpdate();
  }

  get #about(): About | undefined {
    const models = this.#data?.finished ?? [];
    const model = models.find((one) => modelId(one) === this.state.model) ?? models[0];
    if (!model) return undefined;
    const expert = Math.max(
      0,
      model.experts.findIndex(({ name }) => name === this.state.expert),
    );
    const { layer } = this.state;
    return { model, expert, name: model.experts[expert]!.name, layer: model.layers.find((one) => one === layer) };
  }

  protected override render(): unknown {
    const data = this.#data;
    if (!data) return html`<p class="notice" role="status">Connecting…</p>`;
    if (this.state.runs.length === 0)
      return html`<main>${runChoice(data.offered, (run) => this.#change({ runs: [run] }))}</main>`;
    const about = this.#about;
    if (!about)
      return html`<main><p class="notice" role="status">${
        data.trouble ?? (data.opened ? "No mixed model of this run is finished yet." : "Reading models…")
      }</p></main>`;
    data.requestShown(about);
    return html`<main>${this.#controls(about)} ${this.#shown(about)}</main>`;
  }

  #controls({ model, name, layer }: About): TemplateResult {
    const { finished: models, runs } = this.#data!;
    return html`<div class="controls" role="toolbar" aria-label="Expert">
      ${select(
        "Model",
        models.map((one) => option(modelId(one), modelName(one, models, runs), one === model)),
        (value) => this.#change({ model: value }),
      )}
      ${select(
        "Expert",
        model.experts.map((one) => option(one.name, one.name, one.name === name)),
        (value) => this.#change({ expert: value }),
      )}
      ${select(
        "Layer",
        [
          option("", "all layers", layer === undefined),
          ...model.layers.map((one) => option(String(one), `layer ${one}`, one === layer)),
        ],
        (value) => this.#change({ layer: value === "" ? undefined : Number(value) }),
      )}
      <span class="group" role="group" aria-label="Export">
        <span class="caption" aria-hidden="true">CSV</span>
        <button type="button" ?disabled=${!this.#data!.facts.value} @click=${() => void this.#save("tokens")}>Tokens</button>
        <button type="button" ?disabled=${!this.#data!.facts.value} @click=${() => void this.#save("weights")}>Weights</button>
      </span>
      <span role="status">${this.notice || this.#data!.trouble || ""}</span>
    </div>`;
  }

  #shown(about: About): TemplateResult {
    const { model, name, expert, layer } = about;
    const data = this.#data!;
    const { origin, facts, use, coActivation, without, withoutLayers } = data;
    const where = layer === undefined ? "all layers" : `layer ${layer}`;
    const other = this.#other(about);
    return html`<h1><span class=${expertClass(model.experts, expert)}>${name}</span>
        <span class="soft">of ${model.name}, run ${model.run}</span></h1>
      ${placeholder(origin, "Reading the expert's origin")} ${factsSection(origin.value, facts.value)}
      ${placeholder(use, "Reading its use by domain")} ${domainUseSection(use.value, model, where)}
      ${coActivation.value ? coActivationSection(model, coActivation.value, expert, where) : ""}
      ${lossWithoutSection(without, withoutLayers, model.layers, where, {
        measure: () => data.measure(about),
        byLayer: () => data.measureLayers(about),
      })}
      ${placeholder(facts, "Reading its weights and the held-out text", true)}
      ${facts.value ? distancesSection(facts.value) : ""}
      ${
        facts.value
          ? particularSection(facts.value, this.#all, () => {
              this.#all = true;
              this.requestUpdate();
            })
          : ""
      }
      ${
        other === undefined
          ? ""
          : sideBySideSection(model, name, other, this.state, this.#sides, {
              change: this.#change,
              write: () => void this.#write(about, other),
              cancel: () => this.#cancel(),
            })
      }
      ${measureHelp([cellMeasures.routedShare, otherMeasures.coActivation, otherMeasures.particular])}`;
  }

  #other({ model, name }: About): string | undefined {
    const others = model.experts.filter((one) => one.name !== name);
    return (others.find((one) => one.name === this.state.other) ?? others[0])?.name;
  }

  /** Continues the prompt with both experts in turn, since the inspector answers one question at a time. */
  async #write({ model, name }: About, other: string): Promise<void> {
    const { prompt, tokens, randomSeed } = this.state;
    this.#sides = [emptySide(name), emptySide(other)];
    for (const [at, expert] of [name, other].entries()) {
      const off = model.experts.map((one) => one.name).filter((one) => one !== expert);
      const set = (change: (side: Side) => Side) => {
        this.#sides = this.#sides.map((side, place) => (place === at ? change(side) : side));
        this.requestUpdate();
      };
      const params = { model: inspectedModel(model), prompt, tokens, temperature: 0.8, topP: 1, randomSeed, off };
      const question = this.#data!.client.inspect(
        "sample",
        { ...params, ...(takesK(model.router) ? { k: 1 } : {}) },
        (news) => {
          if ("text" in news) set((side) => withToken(side, news));
        },
      );
      this.#writing = question;
      try {
        await question.answer;
        set((side) => ({ ...side, state: "done" }));
      } catch (error) {
        if (this.#writing !== question) return;
        set((side) => ({ ...side, state: "failed", problem: error instanceof Error ? error.message : String(error) }));
      }
    }
    this.#writing = undefined;
  }

  #cancel(): void {
    const writing = this.#writing;
    this.#writing = undefined;
    writing?.cancel();
    this.#sides = this.#sides.map((side) => (side.state === "writes" ? { ...side, state: "cancelled" } : side));
    this.requestUpdate();
  }

  async #save(what: "tokens" | "weights"): Promise<void> {
    const facts = this.#data!.facts.value;
    if (!facts) return;
    const rows = what === "tokens" ? particularRows(facts) : distanceRows(facts);
    await this.save((host) => host.save(fileName(`${this.state.title} ${what}`, "csv"), csvBytes(rows)));
  }
}

customElements.define("expert-page", ExpertPage);
