import { html, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Start } from "../../server/protocol/page.ts";
import type { Measure, Range } from "../../server/protocol/stream.ts";
import { type ChartLine, fittingY } from "../components/chartLine.ts";
import { pointsAt } from "../components/chartOverlay.ts";
import type { ChartEvents, LineChart } from "../components/line-chart.ts";
import "../components/line-chart.ts";
import { runChooser } from "../components/runChooser.ts";
import { type FigureKind, saveFigure } from "../components/saveFigure.ts";
import { chartColor, theme } from "../components/theme.ts";
import type { Host } from "../host.ts";
import { PageElement } from "../pageElement.ts";
import { chartLines } from "./chartLines.ts";
import { controls } from "./controls.ts";
import { figureOf } from "./figure.ts";
import { legend } from "./legend.ts";
import { axes, measureAxis, measures } from "./measures.ts";
import { MetricsData } from "./metricsData.ts";
import { help, nothingYet, notices } from "./notices.ts";
import { inSection, type SeriesInfo } from "./series.ts";
import { type PageState, stateSchema } from "./state.ts";
import { valuesTable } from "./valuesTable.ts";

/** The narrowest range to zoom to, as a share of the whole range. */
const narrowest = 1e-9;

/** The page with the live metrics of runs. */
export class MetricsPage extends PageElement<PageState> {
  #data: MetricsData | undefined;
  #cursor: number | undefined;
  #selection: Range | undefined;
  /** The chart used last, whose values the legend shows. */
  #active: Measure = "loss";
  #choosing = false;
  /** Cached lines of charts, by measure. */
  #cached = { key: "", lines: new Map<Measure, ChartLine[]>() };
  #themes = 0;
  /** Stages to show initially; undefined once applied. */
  #stages: string[] | undefined;

  constructor() {
    super(stateSchema);
  }

  protected override themed(): void {
    this.#themes++;
    super.themed();
  }

  protected override start(start: Start, host: Host): void {
    const { runs, roots = [], stages } = start;
    this.#stages = stages;
    if (this.isAboutOtherRuns(start)) this.#change({ runs, range: undefined, rangesY: {}, hidden: [] });
    this.#data ??= new MetricsData(host, this.state, () => this.#dataChanged());
    this.#data.roots = roots;
  }

  #dataChanged(): void {
    const { runs, series } = this.#data!;
    if (this.#stages && series.length > 0) {
      const wanted = series.filter(({ stage }) => this.#stages!.some((section) => inSection(section, stage)));
      this.#stages = undefined;
      if (wanted.length > 0) {
        const kept = new Set(wanted.map(({ id }) => id));
        this.#change({ hidden: series.map(({ id }) => id).filter((id) => !kept.has(id)) });
      }
    }
    const names = [...new Set(runs.map(({ name }) => name))].join(", ");
    this.setTitle(runs.length > 0 ? `${names}: metrics` : "Metrics");
    this.requestUpdate();
  }

  #change = (change: Partial<PageState>): void => {
    this.change(change);
    if ("range" in change && change.range === undefined) delete this.state.range;
    if ("axis" in change || "fromZero" in change || "runs" in change) this.#select(undefined);
    if (this.#data) this.#data.state = this.state;
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
    return this.state.range ?? this.#data!.extent;
  }

  #lines(measure: Measure): ChartLine[] {
    const { smoothing, hidden, colorBy } = this.state;
    const key = JSON.stringify([this.#data!.version, smoothing > 1, hidden, colorBy, this.#themes]);
    if (this.#cached.key !== key) this.#cached = { key, lines: new Map() };
    const lines = this.#cached.lines.get(measure) ?? chartLines(this.#data!, measure, smoothing > 1);
    this.#cached.lines.set(measure, lines);
    return lines;
  }

  protected override render(): unknown {
    const data = this.#data;
    if (!data) return html`<p class="notice" role="status">Connecting…</p>`;
    const state = this.state;
    if (state.runs.length === 0) this.#choosing = true;
    if (state.runs.length === 0) return html`<main>${notices(data, this.notice)}${this.#runChooser()}</main>`;
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
          if (this.#choosing) data.listRuns();
          this.requestUpdate();
        },
      })}
      ${notices(data, this.notice)} ${this.#choosing ? this.#runChooser(close) : ""}
      ${data.opened && data.series.length === 0 ? html`<p class="notice">${nothingYet(data.runs)}</p>` : ""}
      ${repeat(
        state.charts,
        (measure) => measure,
        (measure) => this.#chart(measure),
      )} ${this.#legend(data)}
      ${state.table ? this.#tables() : ""} ${help()}
    </main>`;
  }

  #runChooser(close?: () => void): TemplateResult {
    const { runs, colorBy } = this.state;
    const colors = html`<fieldset class="colors">
      <legend>Colour by</legend>
      ${(["stage", "run"] as const).map(
        (by) =>
          html`<label
            ><input type="radio" name="colors" .checked=${colorBy === by} @change=${() => this.#change({ colorBy: by })} />
            ${by === "stage" ? "stage, as in the tree" : "run"}</label
          >`,
      )}
    </fieldset>`;
    return runChooser(
      this.#data!.offered,
      runs,
      (chosen) => this.#change({ runs: chosen, range: undefined, rangesY: {} }),
      close,
      runs.length > 1 ? colors : "",
    );
  }

  #chart(measure: Measure): TemplateResult {
    const state = this.state;
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
    // Without data there is no range to zoom to.
    if (this.#data!.lines.size === 0) return;
    const [low, high] = this.#data!.extent;
    const all = high - low;
    if (x && x[1] - x[0] > Math.max(all * narrowest, Math.abs(x[1]) * 1e-12)) {
      // The range stays within the data; the whole range keeps growing with a running stage.
      const width = x[1] - x[0];
      const from = Math.min(Math.max(x[0], low), high - width);
      change.range = width < all ? [from, from + width] : undefined;
    }
    if (y && y[1] - y[0] > Math.abs(y[1]) * 1e-12) change.rangesY = { ...this.state.rangesY, [measure]: y };
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
    const { charts } = this.state;
    const measure = charts.includes(this.#active) ? this.#active : charts[0]!;
    const lines = this.#lines(measure);
    const readings = this.#cursor === undefined ? [] : pointsAt(lines, this.#shownX, this.#cursor);
    return legend(
      {
        state: this.state,
        runs: data.runs,
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
          this.#change({ runs: this.state.runs.filter((one) => one.root !== root || one.run !== run) }),
      },
    );
  }

  #tables(): TemplateResult[] {
    const { charts, axis, log, smoothing } = this.state;
    return charts.map((measure) => {
      const title = `${measures[measure].title}${smoothing > 1 ? `, mean of ${smoothing} steps` : ""}`;
      return valuesTable(title, this.#lines(measure), this.#shownX, axes[axis], measureAxis(measure, log));
    });
  }

  async #save(kind: FigureKind): Promise<void> {
    const data = this.#data!;
    const { charts, axis, log, title } = this.state;
    const values = () => data.export(this.#selection ?? this.state.range);
    const figure = {
      title,
      legend: data.drawn.map(({ label, color, dash }: SeriesInfo) => ({ label, color: chartColor(color), dash })),
      charts: charts.map((measure) => ({
        title: measures[measure].title,
        plot: this.#chartOf(measure).plot,
        axisX: axes[axis],
        axisY: measureAxis(measure, log),
        lines: this.#lines(measure),
      })),
    };
    await this.save((host) => saveFigure(kind, host, figureOf(figure, theme()), values));
  }

  #chartOf(measure: Measure): LineChart {
    return this.querySelectorAll<LineChart>("line-chart")[this.state.charts.indexOf(measure)]!;
  }
}

customElements.define("metrics-page", MetricsPage);
