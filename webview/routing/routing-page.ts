import { html, type TemplateResult } from "lit";
import type { Start } from "../../server/protocol/page.ts";
import { heldOut, type RoutedModel } from "../../server/protocol/routing.ts";
import type { Cell, HeatMap } from "../components/heat-map.ts";
import { modelId, modelName } from "../components/modelChoice.ts";
import { runChooser } from "../components/runChooser.ts";
import { type FigureKind, saveFigure } from "../components/saveFigure.ts";
import { theme } from "../components/theme.ts";
import type { Host } from "../host.ts";
import { PageElement } from "../pageElement.ts";
import { controls } from "./controls.ts";
import { csvOf } from "./csv.ts";
import { figureOf } from "./figure.ts";
import { measureLabel } from "./labels.ts";
import { choices, type SectionInput } from "./layerSections.ts";
import { legend } from "./legend.ts";
import type { LoadArea } from "./load-area.ts";
import { mapsSection } from "./mapsSection.ts";
import { help, nothingYet, notices, remarks } from "./notices.ts";
import { frameName, type Picture, type Sides, sidesOf, sidesText } from "./picture.ts";
import { PictureCache } from "./pictureCache.ts";
import { Player } from "./player.ts";
import { RoutingData } from "./routingData.ts";
import { type Cursors, sections } from "./sections.ts";
import { snapshotsToLoad } from "./snapshots.ts";
import { type PageState, stateSchema } from "./state.ts";

/** How many snapshots to load around the shown one, and ahead of it during playback. */
const reach = { still: 4, playing: 40 };

/** Detail of the event `expert-chosen`. */
export interface ChosenExpert {
  model: RoutedModel;
  /** Index of the expert. */
  expert: number;
  name: string;
  /** Number of the layer in the model. */
  layer: number;
}

/** The page with the routing of mixed models. */
export class RoutingPage extends PageElement<PageState> {
  #data: RoutingData | undefined;
  #cache = new PictureCache();
  #choosing = false;
  /** Stages to show initially; undefined once applied. */
  #stages: string[] | undefined;
  /** Cell at the cursor, in the maps. */
  #cell: Cell | undefined;
  readonly #cursors: Cursors = {};
  /** Index of the map to which Tab moves the focus. */
  #entry = 0;
  #player = new Player({ advance: () => this.#advance(), ended: () => this.requestUpdate() });

  constructor() {
    super(stateSchema);
  }

  protected override themed(): void {
    this.#cache.clear();
    super.themed();
  }

  protected override start(start: Start, host: Host): void {
    const { runs, roots = [], stages } = start;
    this.#stages = stages;
    if (this.isAboutOtherRuns(start))
      this.#change({ runs, model: undefined, other: undefined, snapshot: undefined, chosen: undefined });
    this.#data ??= new RoutingData(host, this.state, () => this.#dataChanged());
    this.#data.roots = roots;
  }

  #dataChanged(): void {
    const { models, runs } = this.#data!;
    if (this.#stages && models.length > 0) {
      const first = models.find(({ name }) => this.#stages!.includes(name));
      this.#stages = undefined;
      if (first) this.#change({ model: modelId(first) });
    }
    const sides = sidesOf(models, this.state);
    // A stored choice, or one made for another model, may not be available for this one.
    const measured = sides?.main.model.cells ?? [];
    if (measured.length > 0 && !measured.includes(this.state.measure)) this.#change({ measure: measured[0]! });
    const names = [...new Set(runs.map(({ name }) => name))].join(", ");
    this.setTitle(runs.length > 0 ? `${names}: routing` : "Routing");
    this.requestUpdate();
  }

  #change = (change: Partial<PageState>): void => {
    this.change(change);
    if (this.#data) this.#data.about = this.state.runs;
  };

  /** Choosing a snapshot stops playback. */
  #choose = (change: Partial<PageState>): void => {
    if ("snapshot" in change || "model" in change) this.#player.stop();
    this.#change(change);
  };

  #play = (): void => {
    const sides = sidesOf(this.#data!.models, this.state);
    if (this.#player.plays) this.#player.stop();
    else if (sides) {
      const { model, snapshot } = sides.main;
      if (snapshot === model.snapshots - 1) this.#change({ snapshot: 0 });
      this.#player.start(model.snapshots);
    }
    this.requestUpdate();
  };

  /** Shows the next snapshot if its frame is loaded. */
  #advance(): "shown" | "waiting" | "end" {
    const sides = sidesOf(this.#data!.models, this.state);
    if (!sides || sides.main.snapshot === heldOut) return "end";
    const { model, snapshot } = sides.main;
    if (snapshot >= model.snapshots - 1) return "end";
    const next = { model, snapshot: snapshot + 1 };
    if (!this.#data!.frames.get(frameName(next, this.state.measure))) return "waiting";
    this.#change({ snapshot: snapshot + 1 === model.snapshots - 1 ? undefined : snapshot + 1 });
    return "shown";
  }

  /** Requests what is shown first, then what is likely to be shown next. */
  #want({ main, other }: Sides): void {
    const { measure } = this.state;
    const { plays } = this.#player;
    const next = snapshotsToLoad(main.model, main.snapshot, plays, plays ? reach.playing : reach.still);
    this.#data!.frames.want(
      [frameName(main, measure), ...(other ? [frameName(other, measure)] : []), frameName(main, "routedShare")],
      next.map((snapshot) => frameName({ model: main.model, snapshot }, measure)),
    );
  }

  protected override render(): unknown {
    const data = this.#data;
    if (!data) return html`<p class="notice" role="status">Connecting…</p>`;
    const state = this.state;
    const { models, opened, runs } = data;
    const sides = sidesOf(models, state);
    if (sides) this.#want(sides);
    const noticeArea = notices(data.trouble, models, sides?.problem, this.notice);
    if (state.runs.length === 0) {
      this.#choosing = true;
      return html`<main>${noticeArea}${this.#runChooser()}</main>`;
    }
    const close = () => this.#chooseRuns(false);
    return html`<main>
      <h1 class="unseen">${state.title}</h1>
      ${sides ? this.#controls(sides) : ""} ${noticeArea}
      ${this.#choosing ? this.#runChooser(close) : ""}
      ${sides ? this.#pictures(sides) : html`<p class="notice">${opened ? nothingYet(runs, models) : "Reading routing…"}</p>`}
      ${help()}
    </main>`;
  }

  #runChooser(close?: () => void): TemplateResult {
    return runChooser(this.#data!.offered, this.state.runs, (runs) => this.#change({ runs }), close);
  }

  #controls(sides: Sides): TemplateResult {
    const { models, runs } = this.#data!;
    const labels = new Map(models.map((one) => [one, modelName(one, models, runs)]));
    return controls(
      { state: this.state, sides, models, labels, plays: this.#player.plays },
      {
        change: this.#choose,
        play: this.#play,
        save: (kind) => void this.#save(kind),
        chooseRuns: () => this.#chooseRuns(!this.#choosing),
      },
    );
  }

  #chooseRuns(choosing: boolean): void {
    this.#choosing = choosing;
    if (choosing) this.#data!.listRuns();
    this.requestUpdate();
  }

  #pictures(sides: Sides): TemplateResult {
    const { main } = sides;
    const state = this.state;
    const data = this.#data!;
    const cache = this.#cache.update(sides, state, data.frames);
    const { picture } = cache;
    const shares = data.frames.get(frameName(main, "routedShare"));
    const input: SectionInput = { state, side: main, order: cache.order, colors: cache.colors };
    const choose = (cell: Cell) => this.#chooseCell(main.model, cell);
    const actions = { change: this.#choose, choose };
    const { plays } = this.#player;
    const columns = this.querySelector<LoadArea>("load-area")?.columns;
    const redraw = () => this.requestUpdate();
    return html`${remarks(main.model, shares)}
      ${picture ? legend(picture.scale, picture.low, picture.high, picture.text) : html`<p class="notice" role="status">Reading routing…</p>`}
      ${picture ? this.#maps(picture, sides) : ""} ${choices(input, actions)}
      ${sections(input, { data, cache, shares, cursors: this.#cursors, plays, columns, redraw }, actions)}`;
  }

  #maps(picture: Picture, sides: Sides): TemplateResult {
    return mapsSection(
      { state: this.state, sides, picture, cell: this.#cell, entry: this.#entry },
      {
        read: (cell) => {
          this.#cell = cell;
          this.requestUpdate();
        },
        choose: (cell) => this.#chooseCell(sides.main.model, cell),
        turn: (index) => this.querySelectorAll<HeatMap>("heat-map")[index]?.enter(),
        enter: (index) => {
          this.#entry = index;
          this.requestUpdate();
        },
      },
    );
  }

  /** Opens the expert of a cell. */
  #chooseCell(model: RoutedModel, { row, column }: Cell): void {
    const [expert, layer] = [model.experts[column], model.layers[row]];
    if (!expert || layer === undefined) return;
    this.#change({ chosen: { row, column }, layer: row });
    const detail: ChosenExpert = { model, expert: column, name: expert.name, layer };
    this.dispatchEvent(new CustomEvent("expert-chosen", { detail, bubbles: true }));
  }

  async #save(kind: FigureKind): Promise<void> {
    const { title, measure } = this.state;
    const { frames, models } = this.#data!;
    const sides = sidesOf(models, this.state);
    const picture = sides && this.#cache.update(sides, this.state, frames).picture;
    if (!sides || !picture) return;
    const subtitle = `${measureLabel(measure)}, ${sidesText(sides, measure)}`;
    const values = () => {
      const shown = [sides.main, sides.other].flatMap((side) => {
        const frame = side && frames.get(frameName(side, measure));
        return frame ? [{ ...side, frame }] : [];
      });
      return [csvOf(measure, shown)];
    };
    await this.save((host) => saveFigure(kind, host, figureOf({ title, subtitle, picture }, theme()), values));
  }
}

customElements.define("routing-page", RoutingPage);
