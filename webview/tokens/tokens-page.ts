import { html, type TemplateResult } from "lit";
import { takesK } from "../../server/protocol/model.ts";
import { maxPageText, type Start } from "../../server/protocol/page.ts";
import { routedFrom } from "../../server/protocol/routed.ts";
import type { RoutedModel } from "../../server/protocol/routing.ts";
import { Answer } from "../answer.ts";
import { fileName } from "../components/csv.ts";
import { expertClass } from "../components/experts.ts";
import { modelId, modelName, option, select } from "../components/modelChoice.ts";
import { runChoice } from "../components/runChooser.ts";
import type { Host } from "../host.ts";
import { PageElement } from "../pageElement.ts";
import { inspectedModel, PageModels } from "../pageModels.ts";
import { mapPending, type Pending } from "../streamClient.ts";
import { csvOf, pngOf } from "./export.ts";
import { type PageState, stateSchema } from "./state.ts";
import { meanSurprise } from "./textCounts.ts";
import type { GridEvents, GridPlace } from "./token-grid.ts";
import { colouredText, legend, pairsTable, type RoutedAnswer, tokenDetail, tokensTable } from "./tokenSections.ts";
import { type Cursors, measuredSections } from "./wholeTextSections.ts";
import "./token-grid.ts";

/** Delay between the last keystroke and routing the text, ms. */
const typingDelay = 300;

/** The page that shows where each token of a text goes in all layers of a mixed model. */
export class TokensPage extends PageElement<PageState> {
  #models: PageModels | undefined;
  readonly #answer = new Answer<RoutedAnswer>(() => this.#answered());
  /** The answer that `#place` and `#cursors` refer to. */
  #shownAnswer: RoutedAnswer | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #place: GridPlace | undefined;
  #cursors: Cursors = {};

  constructor() {
    super(stateSchema);
  }

  protected override start(start: Start, host: Host): void {
    const { runs, roots = [], model, text } = start;
    this.#models ??= new PageModels(host, runs.length > 0 ? runs : this.state.runs, () => this.#dataChanged());
    this.#models.roots = roots;
    const others = this.isAboutOtherRuns(start) ? { runs, model: undefined, off: [], k: undefined } : {};
    const given = { ...(model ? { model: modelId(model) } : {}), ...(text === undefined ? {} : { text }) };
    this.state = { ...this.state, ...others, ...given };
    this.#change({});
  }

  #change = (change: Partial<PageState>): void => {
    const reset: Partial<PageState> = change.model === undefined ? {} : { layer: "all", off: [], k: undefined };
    this.change({ ...change, ...reset });
    if (this.#models) this.#models.about = this.state.runs;
    this.#route(0);
  };

  #dataChanged(): void {
    const model = this.#model;
    this.setTitle(model ? `${model.name}: tokens` : "Tokens");
    // After a reconnect everything is requested again.
    if (this.#models!.trouble) this.#answer.invalidate();
    else this.#route(0);
    this.requestUpdate();
  }

  get #model(): RoutedModel | undefined {
    const models = this.#models?.finished ?? [];
    return models.find((one) => modelId(one) === this.state.model) ?? models[0];
  }

  /** Requests the text's routing unless it is known or pending. @param wait ms. */
  #route(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const model = this.#model;
      const { text, k, off } = this.state;
      if (!model) return;
      if (text === "") this.#answer.clear();
      else this.#answer.replace(JSON.stringify([modelId(model), text, k, off]), () => this.#ask(model));
      this.requestUpdate();
    }, wait);
  }

  #ask(model: RoutedModel): Pending<RoutedAnswer> {
    const { text, k, off } = this.state;
    const params = {
      model: inspectedModel(model),
      text,
      measured: true,
      ...(k ? { k } : {}),
      ...(off.length > 0 ? { off } : {}),
    };
    return mapPending(this.#models!.client.inspect("route", params), (answer) => {
      const { predicted, measures } = answer;
      return { text, routed: routedFrom(answer, 0), predicted, measures };
    });
  }

  #answered(): void {
    if (this.#shownAnswer !== this.#answer.value) {
      this.#shownAnswer = this.#answer.value;
      this.#place = undefined;
      this.#cursors = {};
    }
    this.requestUpdate();
  }

  protected override render(): unknown {
    const models = this.#models;
    if (!models) return html`<p class="notice" role="status">Connecting…</p>`;
    const model = this.#model;
    if (this.state.runs.length === 0)
      return html`<main>${runChoice(models.offered, (run) => this.#change({ runs: [run] }))}</main>`;
    if (!model)
      return html`<main><p class="notice" role="status">${
        models.trouble ?? (models.opened ? "No mixed model of this run is finished yet." : "Reading models…")
      }</p></main>`;
    return html`<main>
      <h1 class="unseen">${this.state.title}</h1>
      ${this.#controls(model)} ${this.#input()}
      <div role="status" class="notices">${this.#status()}</div>
      ${this.#answer.value ? this.#shown(this.#answer.value) : ""}
    </main>`;
  }

  #status(): TemplateResult | string {
    const { trouble } = this.#models!;
    const { value, problem, isPending } = this.#answer;
    if (trouble || problem)
      return html`<p class="notice trouble">${trouble ?? problem}
        ${trouble ? "" : html`<button type="button" @click=${this.#again}>Ask again</button>`}</p>`;
    if (isPending) return html`<p class="notice">Routing…</p>`;
    if (!value)
      return html`<p class="notice">Type or paste a text: each token is shown in the colour of its expert.</p>`;
    const mean = meanSurprise(value.routed);
    const tokens = value.routed.tokens.length;
    return html`<p class="notice">${tokens} tokens${mean === undefined ? "" : `, mean surprise ${mean.toFixed(3)} nats`}${this.notice ? `. ${this.notice}` : ""}</p>`;
  }

  #again = (): void => {
    this.#answer.invalidate();
    this.#route(0);
  };

  #controls(model: RoutedModel): TemplateResult {
    const { layer, k, off, table } = this.state;
    const { finished: models, runs } = this.#models!;
    const ks = Array.from({ length: model.experts.length - off.length }, (_, at) => at + 1);
    const toggle = (name: string) =>
      this.#change({ off: off.includes(name) ? off.filter((one) => one !== name) : [...off, name] });
    return html`<div class="controls" role="toolbar" aria-label="Model">
      ${select(
        "Model",
        models.map((one) => option(modelId(one), modelName(one, models, runs), one === model)),
        (value) => this.#change({ model: value }),
      )}
      ${select(
        "Colours of",
        [
          option("all", "all layers", layer === "all"),
          ...model.layers.map((one, at) => option(String(at), `layer ${one}`, layer === at)),
        ],
        (value) => this.#change({ layer: value === "all" ? "all" : Number(value) }),
      )}
      ${
        takesK(model.router)
          ? select(
              "Experts per token",
              [
                option("", `${model.k}, as trained`, k === undefined),
                ...ks.map((one) => option(String(one), String(one), k === one)),
              ],
              (value) => this.#change({ k: value === "" ? undefined : Number(value) }),
            )
          : ""
      }
      <fieldset class="group">
        <legend class="caption">Experts</legend>
        ${model.experts.map(
          ({ name }, expert) =>
            html`<label class="group">
              <input
                type="checkbox"
                .checked=${!off.includes(name)}
                ?disabled=${!off.includes(name) && model.experts.length - off.length <= 1}
                @change=${() => toggle(name)}
              />
              <span class=${expertClass(model.experts, expert)}>${name}</span>
            </label>`,
        )}
      </fieldset>
      <span class="group">
        <button type="button" aria-pressed=${String(table)} @click=${() => this.#change({ table: !table })}>Table</button>
        ${(["CSV", "PNG"] as const).map((kind) => html`<button type="button" ?disabled=${!this.#answer.value} aria-label="Export ${kind}" @click=${() => void this.#save(kind)}>${kind}</button>`)}
      </span>
    </div>`;
  }

  #input(): TemplateResult {
    const typed = (event: Event) => {
      this.keep({ text: (event.currentTarget as HTMLTextAreaElement).value });
      this.#route(typingDelay);
    };
    return html`<textarea
      aria-label="Text"
      rows="5"
      spellcheck="false"
      maxlength=${maxPageText}
      .value=${this.state.text}
      @input=${typed}
    ></textarea>`;
  }

  #shown(answer: RoutedAnswer): TemplateResult {
    const { width, table, layer: wanted } = this.state;
    const { routed, text } = answer;
    const layer = wanted === "all" || wanted < routed.layers.length ? wanted : "all";
    const read = (place: GridPlace | undefined) => {
      this.#place = place;
      this.requestUpdate();
    };
    const resize = (event: Event) => this.#change({ width: Number((event.currentTarget as HTMLInputElement).value) });
    return html`${legend(routed, layer)}
      ${colouredText(answer, layer, this.#place, (token) => read({ layer: layer === "all" ? 0 : layer, token }))}
      ${tokenDetail(answer, this.#place)}
      <figure>
        <figcaption>All layers <span class="soft">first expert of each token; fainter means a smaller gate</span></figcaption>
        <label class="group"><span class="caption">Width</span>
          <input type="range" min="2" max="80" .value=${String(width)} aria-label="Width of a token" @input=${resize} /></label>
        <token-grid
          .routed=${routed}
          .text=${text}
          .place=${this.#place}
          .width=${width}
          @grid-place=${({ detail }: CustomEvent<GridEvents["grid-place"]>) => read(detail.place)}
          @grid-layer=${({ detail }: CustomEvent<GridEvents["grid-layer"]>) => this.#change({ layer: detail.layer })}
        ></token-grid>
      </figure>
      <div class="side">${pairsTable(routed, layer)}</div>
      ${measuredSections(answer, this.state, layer === "all" ? 0 : layer, this.#cursors, {
        redraw: () => this.requestUpdate(),
        choose: (measure) => this.#change({ measure }),
      })}
      ${table ? tokensTable(answer) : ""}`;
  }

  async #save(kind: "CSV" | "PNG"): Promise<void> {
    const answer = this.#answer.value;
    if (!answer) return;
    const bytes = async () => (kind === "CSV" ? csvOf(answer) : pngOf(answer.routed));
    await this.save(async (host) => host.save(fileName(this.state.title, kind.toLowerCase()), await bytes()));
  }
}

customElements.define("tokens-page", TokensPage);
