import { html, LitElement, type TemplateResult } from "lit";
import type { Start } from "../../server/protocol/page.ts";
import { heldOut, type RoutedModel } from "../../server/protocol/routing.ts";
import type { Cell, HeatMap } from "../components/heat-map.ts";
import { onThemeChange } from "../components/theme.ts";
import type { Host } from "../host.ts";
import { controls } from "./controls.ts";
import { csvOf } from "./csv.ts";
import { saveMaps } from "./export.ts";
import { measureLabel, modelLabel } from "./labels.ts";
import { choices, type SectionInput } from "./layerSections.ts";
import { legend } from "./legend.ts";
import type { LoadArea } from "./load-area.ts";
import { mapsSection } from "./mapsSection.ts";
import { help, nothingYet, notices, remarks } from "./notices.ts";
import { frameName, type Picture, type Sides, sidesOf, sidesText } from "./picture.ts";
import { PictureCache } from "./pictureCache.ts";
import { Player } from "./player.ts";
import { RoutingData } from "./routingData.ts";
import { runChooser } from "./runs.ts";
import { type Reads, sections } from "./sections.ts";
import { around } from "./snapshots.ts";
import { type PageState, restored } from "./state.ts";

/** Snapshots to have at hand around the one that is shown, and ahead of it while playing. */
const reach = { still: 4, playing: 40 };

/** What `expert-chosen` says. */
export interface ChosenExpert {
  model: RoutedModel;
  /** Its place among the experts, and its name. */
  expert: number;
  name: string;
  /** Number of the layer in the model. */
  layer: number;
}

/** The routing of mixed models. It keeps what the person chose, and draws what the backend has sent. */
export class RoutingPage extends LitElement {
  #host: Host | undefined;
  #data: RoutingData | undefined;
  #state: PageState = restored(undefined);
  #cache = new PictureCache();
  #choosing = false;
  #said = "";
  #keptAt = 0;
  #keeping: ReturnType<typeof setTimeout> | undefined;
  /** Stages to show first, until they are known. */
  #stages: string[] | undefined;
  /** What is pointed at or read in the maps, and below them. */
  #cell: Cell | undefined;
  readonly #reads: Reads = {};
  /** The map that Tab leads to. */
  #entry = 0;
  #player = new Player({ advance: () => this.#advance(), ended: () => this.requestUpdate() });

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  /** Begins: with what the host says, and else with what was kept. */
  set host(host: Host) {
    this.#host = host;
    this.#state = restored(host.kept);
    onThemeChange(() => {
      this.#cache.forget();
      this.requestUpdate();
    });
    window.addEventListener("pagehide", this.#keep);
    document.addEventListener("visibilitychange", this.#keep);
    host.onStart((start) => this.#start(start));
  }

  #start({ runs, roots = [], stages }: Start): void {
    this.#stages = stages;
    const others = runs.length > 0 && JSON.stringify(runs) !== JSON.stringify(this.#state.runs);
    const change: Partial<PageState> = others
      ? { runs, model: undefined, other: undefined, snapshot: undefined, chosen: undefined }
      : {};
    if (this.#data) this.#change(change);
    else {
      this.#state = { ...this.#state, ...change };
      this.#data = new RoutingData(this.#host!, this.#state, () => this.#heard());
    }
    this.#data.models.runs.roots = roots;
    this.requestUpdate();
  }

  /** The backend has sent something. */
  #heard(): void {
    const {
      models,
      runs: { runs },
    } = this.#data!.models;
    if (this.#stages && models.length > 0) {
      const first = models.find(({ name }) => this.#stages!.includes(name));
      this.#stages = undefined;
      if (first) this.#change({ model: `${first.root}\n${first.key}` });
    }
    const sides = sidesOf(models, this.#state);
    // What was kept, or chosen of another model, may not be measured of this one.
    const measured = sides?.main.model.cells ?? [];
    if (measured.length > 0 && !measured.includes(this.#state.measure)) this.#change({ measure: measured[0]! });
    const names = [...new Set(runs.map(({ name }) => name))].join(", ");
    const title = runs.length > 0 ? `${names}: routing`.slice(0, 200) : "Routing";
    if (title !== this.#state.title) {
      this.#host?.title(title);
      this.#change({ title });
    }
    this.requestUpdate();
  }

  #change = (change: Partial<PageState>): void => {
    this.#said = "";
    this.#state = { ...this.#state, ...change };
    // At once, since the page may go at any moment, but not sixty times a second.
    clearTimeout(this.#keeping);
    if (performance.now() - this.#keptAt > 150) this.#keep();
    else this.#keeping = setTimeout(this.#keep, 150);
    if (this.#data) this.#data.state = this.#state;
    this.requestUpdate();
  };

  #keep = (): void => {
    this.#keptAt = performance.now();
    this.#host?.keep(this.#state);
  };

  /** A person's choice of a snapshot ends the play. */
  #choose = (change: Partial<PageState>): void => {
    if ("snapshot" in change || "model" in change) this.#player.stop();
    this.#change(change);
  };

  #play = (): void => {
    const sides = sidesOf(this.#data!.models.models, this.#state);
    if (this.#player.plays) this.#player.stop();
    else if (sides) {
      const { model, snapshot } = sides.main;
      if (snapshot === model.snapshots - 1) this.#change({ snapshot: 0 });
      this.#player.start(model.snapshots);
    }
    this.requestUpdate();
  };

  /** The next snapshot, when its frame is there. */
  #advance(): "shown" | "waiting" | "end" {
    const sides = sidesOf(this.#data!.models.models, this.#state);
    if (!sides || sides.main.snapshot === heldOut) return "end";
    const { model, snapshot } = sides.main;
    if (snapshot >= model.snapshots - 1) return "end";
    const next = { model, snapshot: snapshot + 1 };
    if (!this.#data!.frames.get(frameName(next, this.#state.measure))) return "waiting";
    this.#change({ snapshot: snapshot + 1 === model.snapshots - 1 ? undefined : snapshot + 1 });
    return "shown";
  }

  /** Asks for what is seen, then for what is likely to be seen next. */
  #want({ main, other }: Sides): void {
    const { measure } = this.#state;
    const { plays } = this.#player;
    const next = around(main.model, main.snapshot, plays, plays ? reach.playing : reach.still);
    this.#data!.frames.want(
      [frameName(main, measure), ...(other ? [frameName(other, measure)] : []), frameName(main, "routedShare")],
      next.map((snapshot) => frameName({ model: main.model, snapshot }, measure)),
    );
  }

  protected override render(): unknown {
    const data = this.#data;
    if (!data) return html`<p class="notice" role="status">Connecting…</p>`;
    const state = this.#state;
    const {
      models,
      opened,
      runs: { runs, offered },
    } = data.models;
    const sides = sidesOf(models, state);
    if (sides) this.#want(sides);
    const said = notices(data.trouble, models, sides?.problem, this.#said);
    if (state.runs.length === 0) {
      this.#choosing = true;
      return html`<main>${said}${runChooser(offered, state, this.#change, undefined)}</main>`;
    }
    const close = () => this.#chooseRuns(false);
    return html`<main>
      <h1 class="unseen">${state.title}</h1>
      ${sides ? this.#controls(sides) : ""} ${said}
      ${this.#choosing ? runChooser(offered, state, this.#change, close) : ""}
      ${sides ? this.#pictures(sides) : html`<p class="notice">${opened ? nothingYet(runs, models) : "Reading routing…"}</p>`}
      ${help()}
    </main>`;
  }

  #controls(sides: Sides): TemplateResult {
    const {
      models,
      runs: { runs },
    } = this.#data!.models;
    const labels = new Map(models.map((one) => [one, modelLabel(one, models, runs)]));
    return controls(
      { state: this.#state, sides, models, labels, plays: this.#player.plays },
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
    if (choosing) this.#data!.models.runs.offer();
    this.requestUpdate();
  }

  #pictures(sides: Sides): TemplateResult {
    const { main } = sides;
    const state = this.#state;
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
      ${sections(input, { data, cache, shares, reads: this.#reads, plays, columns, redraw }, actions)}`;
  }

  #maps(picture: Picture, sides: Sides): TemplateResult {
    return mapsSection(
      { state: this.#state, sides, picture, cell: this.#cell, entry: this.#entry },
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

  /** The expert that a person wants to see. */
  #chooseCell(model: RoutedModel, { row, column }: Cell): void {
    const [expert, layer] = [model.experts[column], model.layers[row]];
    if (!expert || layer === undefined) return;
    this.#change({ chosen: { row, column }, layer: row });
    const detail: ChosenExpert = { model, expert: column, name: expert.name, layer };
    this.dispatchEvent(new CustomEvent("expert-chosen", { detail, bubbles: true }));
  }

  async #save(kind: "png" | "svg" | "csv"): Promise<void> {
    const { title, measure } = this.#state;
    const sides = sidesOf(this.#data!.models.models, this.#state);
    const picture = sides && this.#cache.update(sides, this.#state, this.#data!.frames).picture;
    if (!sides || !picture) return;
    try {
      const csv = () =>
        csvOf(
          measure,
          [sides.main, sides.other].flatMap((side) => {
            const frame = side && this.#data!.frames.get(frameName(side, measure));
            return frame ? [{ ...side, frame }] : [];
          }),
        );
      const subtitle = `${measureLabel(measure)}, ${sidesText(sides, measure)}`;
      const saved = await saveMaps(kind, this.#host!, { title, subtitle, picture, csv });
      this.#said = saved === undefined ? "" : `Saved ${saved}`;
    } catch (error) {
      this.#said = `Not saved: ${error instanceof Error ? error.message : String(error)}`;
    }
    this.requestUpdate();
  }
}

customElements.define("routing-page", RoutingPage);
