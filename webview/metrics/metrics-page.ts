import { html, LitElement, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Start } from "../../server/protocol/page.ts";
import type { Measure, Range } from "../../server/protocol/stream.ts";
import { type ChartLine, fittingY } from "../components/chartLine.ts";
import { pointsAt } from "../components/chartOverlay.ts";
import type { ChartEvents, LineChart } from "../components/line-chart.ts";
import "../components/line-chart.ts";
import { chartColor, onThemeChange } from "../components/theme.ts";
import type { Host } from "../host.ts";
import { chartLines } from "./chartLines.ts";
import { controls } from "./controls.ts";
import { saveCharts } from "./export.ts";
import { legend } from "./legend.ts";
import { axes, measureAxis, measures } from "./measures.ts";
import { MetricsData } from "./metricsData.ts";
import { help, nothingYet, notices } from "./notices.ts";
import { inSection, type SeriesInfo } from "./series.ts";
import { type PageState, restored } from "./state.ts";
import { runChooser, valuesTable } from "./tables.ts";

/** A range narrower than this share of all is not zoomed into any further. */
const narrowest = 1e-9;

/** The live metrics of runs. It keeps what the person chose, and draws what the backend has sent. */
export class MetricsPage extends LitElement {
  #host: Host | undefined;
  #data: MetricsData | undefined;
  #state: PageState = restored(undefined);
  #cursor: number | undefined;
  #selection: Range | undefined;
  /** The chart that the table is about: the one that was used last. */
  #active: Measure = "loss";
  #choosing = false;
  #said = "";
  #keptAt = 0;
  #keeping: ReturnType<typeof setTimeout> | undefined;
  /** Lines as charts take them, by measure, as long as they are the same. */
  #made = { key: "", lines: new Map<Measure, ChartLine[]>() };
  #themes = 0;
  /** Stages to show first, until they are known. */
  #stages: string[] | undefined;

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  /** Begins: with what the host says, and else with what was kept. */
  set host(host: Host) {
    this.#host = host;
    this.#state = restored(host.kept);
    onThemeChange(() => {
      this.#themes++;
      this.requestUpdate();
    });
    window.addEventListener("pagehide", this.#keep);
    document.addEventListener("visibilitychange", this.#keep);
    host.onStart((start) => this.#start(start));
  }

  #start({ runs, roots = [], stages }: Start): void {
    this.#stages = stages;
    const others = runs.length > 0 && JSON.stringify(runs) !== JSON.stringify(this.#state.runs);
    const change: Partial<PageState> = others ? { runs, range: undefined, rangesY: {}, hidden: [] } : {};
    if (this.#data) this.#change(change);
    else {
      this.#state = { ...this.#state, ...change };
      this.#data = new MetricsData(this.#host!, this.#state, () => this.#heard());
    }
    this.#data.runs.roots = roots;
    this.requestUpdate();
  }

  /** The backend has sent something. */
  #heard(): void {
    const {
      runs: { runs },
      series,
    } = this.#data!;
    if (this.#stages && series.length > 0) {
      const wanted = series.filter(({ stage }) => this.#stages!.some((section) => inSection(section, stage)));
      this.#stages = undefined;
      if (wanted.length > 0) {
        const kept = new Set(wanted.map(({ id }) => id));
        this.#change({ hidden: series.map(({ id }) => id).filter((id) => !kept.has(id)) });
      }
    }
    const title = runs.length > 0 ? `${[...new Set(runs.map(({ name }) => name))].join(", ")}: metrics` : "Metrics";
    if (title !== this.#state.title) {
      this.#host?.title(title.slice(0, 200));
      this.#change({ title: title.slice(0, 200) });
    }
    this.requestUpdate();
  }

  #change = (change: Partial<PageState>): void => {
    const before = this.#state;
    this.#said = "";
    this.#state = { ...before, ...change };
    if ("range" in change && change.range === undefined) delete this.#state.range;
    if ("axis" in change || "fromZero" in change || "runs" in change) this.#select(undefined);
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

  #select(range: Range | undefined): void {
    this.#selection = range;
    this.#data?.measure(this.#active, range);
    this.requestUpdate();
  }

  #use(measure: Measure): void {
    if (this.#active === measure) return;
    this.#active = measure;
    if (this.#selection) this.#data?.measure(measure, this.#selection);
  }

  get #shownX(): Range {
    return this.#state.range ?? this.#data!.extent;
  }

  /** The lines of one chart. */
  #lines(measure: Measure): ChartLine[] {
    const { smoothing, hidden, colorBy } = this.#state;
    const key = JSON.stringify([this.#data!.version, smoothing > 1, hidden, colorBy, this.#themes]);
    if (this.#made.key !== key) this.#made = { key, lines: new Map() };
    const lines = this.#made.lines.get(measure) ?? chartLines(this.#data!, measure, smoothing > 1);
    this.#made.lines.set(measure, lines);
    return lines;
  }

  protected override render(): unknown {
    const data = this.#data;
    if (!data) return html`<p class="notice" role="status">Connecting…</p>`;
    const state = this.#state;
    const { runs } = data;
    if (state.runs.length === 0) this.#choosing = true;
    if (state.runs.length === 0)
      return html`<main>${notices(data, this.#said)}${runChooser(runs.offered, state, this.#change, undefined)}</main>`;
    const close = () => {
      this.#choosing = false;
      this.requestUpdate();
    };
    return html`<main>
      <h1 class="unseen">${state.title}</h1>
      ${controls(state, data.recorded, {
        change: this.#change,
        showAll: this.#showAll,
        save: (kind) => void this.#save(kind),
        chooseRuns: () => {
          this.#choosing = !this.#choosing;
          if (this.#choosing) runs.offer();
          this.requestUpdate();
        },
      })}
      ${notices(data, this.#said)} ${this.#choosing ? runChooser(runs.offered, state, this.#change, close) : ""}
      ${data.opened && data.series.length === 0 ? html`<p class="notice">${nothingYet(runs.runs)}</p>` : ""}
      ${repeat(
        state.charts,
        (measure) => measure,
        (measure) => this.#chart(measure),
      )} ${this.#legend(data)}
      ${state.table ? this.#tables() : ""} ${help()}
    </main>`;
  }

  #chart(measure: Measure): TemplateResult {
    const state = this.#state;
    const lines = this.#lines(measure);
    const x = this.#shownX;
    const y = state.rangesY[measure] ?? fittingY(lines, x, state.log);
    const { title } = measures[measure];
    const shows = ({ detail }: CustomEvent<ChartEvents["chart-show"]>) => this.#show(measure, detail);
    return html`<figure>
      <figcaption>${title.charAt(0).toUpperCase()}${title.slice(1)} <span class="soft">over ${axes[state.axis].title}</span></figcaption>
      <line-chart
        class=${state.charts.length > 1 ? "low" : ""}
        .name=${`${title} over ${axes[state.axis].title}, ${lines.length} lines; arrow keys read values`}
        .lines=${lines}
        .x=${x}
        .y=${y}
        .log=${state.log}
        .axisX=${axes[state.axis]}
        .axisY=${measureAxis(measure, state.log)}
        .mode=${state.mode}
        .cursor=${this.#cursor}
        .selection=${this.#selection}
        @chart-show=${shows}
        @chart-all=${this.#showAll}
        @chart-cursor=${({ detail }: CustomEvent<ChartEvents["chart-cursor"]>) => {
          this.#use(measure);
          this.#cursor = detail.x;
          this.requestUpdate();
        }}
        @chart-select=${({ detail }: CustomEvent<ChartEvents["chart-select"]>) => {
          this.#use(measure);
          this.#select(detail.range);
        }}
        @chart-resize=${this.#measureWidth}
      ></line-chart>
    </figure>`;
  }

  #show(measure: Measure, { x, y }: ChartEvents["chart-show"]): void {
    const change: Partial<PageState> = {};
    // Before there is anything to see there is no part of it.
    if (this.#data!.lines.size === 0) return;
    const [low, high] = this.#data!.extent;
    const all = high - low;
    if (x && x[1] - x[0] > Math.max(all * narrowest, Math.abs(x[1]) * 1e-12)) {
      // There is nothing to see beyond the first and the last value, and all of it goes on growing.
      const width = x[1] - x[0];
      const from = Math.min(Math.max(x[0], low), high - width);
      change.range = width < all ? [from, from + width] : undefined;
    }
    if (y && y[1] - y[0] > Math.abs(y[1]) * 1e-12) change.rangesY = { ...this.#state.rangesY, [measure]: y };
    this.#change(change);
  }

  #showAll = (): void => this.#change({ range: undefined, rangesY: {} });

  #measureWidth = (): void => {
    const widths = [...this.querySelectorAll<LineChart>("line-chart")].map((chart) => chart.plot.width);
    if (widths.length > 0 && this.#data) this.#data.columns = Math.max(...widths) * Math.min(2, devicePixelRatio);
  };

  protected override updated(): void {
    this.#measureWidth();
  }

  #legend(data: MetricsData): TemplateResult {
    const { charts } = this.#state;
    const measure = charts.includes(this.#active) ? this.#active : charts[0]!;
    const lines = this.#lines(measure);
    const readings = this.#cursor === undefined ? [] : pointsAt(lines, this.#shownX, this.#cursor);
    return legend(
      {
        state: this.#state,
        runs: data.runs.runs,
        series: data.series,
        measure,
        lines: data.lines.get(measure) ?? new Map(),
        readings: new Map(readings.map((reading) => [reading.id, reading])),
        selection: this.#selection,
        figures: data.figures,
      },
      {
        change: this.#change,
        removeRun: ({ root, run }) =>
          this.#change({ runs: this.#state.runs.filter((one) => one.root !== root || one.run !== run) }),
      },
    );
  }

  #tables(): TemplateResult[] {
    const { charts, axis, log, smoothing } = this.#state;
    return charts.map((measure) => {
      const title = `${measures[measure].title}${smoothing > 1 ? `, mean of ${smoothing} steps` : ""}`;
      return valuesTable(title, this.#lines(measure), this.#shownX, axes[axis], measureAxis(measure, log));
    });
  }

  async #save(kind: "png" | "svg" | "csv"): Promise<void> {
    const data = this.#data!;
    const { charts, axis, log, title } = this.#state;
    try {
      const saved = await saveCharts(kind, this.#host!, {
        title,
        legend: data.drawn.map(({ label, color, dash }: SeriesInfo) => ({ label, color: chartColor(color), dash })),
        charts: charts.map((measure) => ({
          title: measures[measure].title,
          plot: this.#chartOf(measure).plot,
          axisX: axes[axis],
          axisY: measureAxis(measure, log),
          lines: this.#lines(measure),
        })),
        rows: () => data.export(this.#selection ?? this.#state.range),
      });
      this.#said = saved === undefined ? "" : `Saved ${saved}`;
    } catch (error) {
      this.#said = `Not saved: ${error instanceof Error ? error.message : String(error)}`;
    }
    this.requestUpdate();
  }

  #chartOf(measure: Measure): LineChart {
    return this.querySelectorAll<LineChart>("line-chart")[this.#state.charts.indexOf(measure)]!;
  }
}

customElements.define("metrics-page", MetricsPage);
