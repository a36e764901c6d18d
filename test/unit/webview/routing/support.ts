import type { BrowserContextOptions, Page } from "playwright-core";
import { encodeFrame, type FrameHeader } from "../../../../server/protocol/frame.ts";
import type { CellMeasure } from "../../../../server/protocol/measures.ts";
import type { RoutedModel } from "../../../../server/protocol/routing.ts";
import type { PageMessage } from "../../../../server/protocol/stream.ts";
import { rampColors, shadeAt, shadeColor } from "../../../../webview/components/colorScale.ts";
import { openScripted, type Send } from "../scripted.ts";

/** The routing page with a scripted backend whose routing is known by construction. */

/** A model whose values are a function of their indices. */
export interface Scripted extends RoutedModel {
  /** @param domain the number of domains stands for all. @param snapshot -1: held-out text. */
  value(measure: CellMeasure, snapshot: number, domain: number, layer: number, expert: number): number;
  /** How often `from` in a layer is followed by `to`. */
  transition(layer: number, from: number, to: number): number;
  /** Share of the tokens of one expert that also choose another. */
  together(layer: number, one: number, other: number): number;
}

export const root = "/runs/.btx";

const letters = (count: number, name: string) => Array.from({ length: count }, (_, at) => ({ name: `${name}${at}` }));

/** Domain i goes to expert i in all layers; all domains together go to all experts equally. */
export function known(
  given: Partial<Scripted> & { size?: [layers: number, experts: number, domains: number] } = {},
): Scripted {
  const { size = [3, 4, 4], ...rest } = given;
  const [layers, experts, domains] = size;
  return {
    root,
    key: "aaaaaaaaaaaaaaaa",
    run: "20260304-123000",
    name: "finetune",
    state: "done",
    router: "top-k",
    k: 1,
    layers: Array.from({ length: layers }, (_, at) => at),
    experts: letters(experts, "e"),
    domains: letters(domains, "d"),
    every: 10,
    snapshots: 5,
    steps: 50,
    cells: ["routedShare", "gateMass"],
    evaluated: true,
    detailed: true,
    from: "mix",
    pairsEvery: 10,
    value: (_measure, _snapshot, domain, _layer, expert) =>
      domain === domains ? 1 / experts : domain % experts === expert ? 1 : 0,
    transition: (_layer, from, to) => (from === to ? 1 : 0),
    together: (layer, one, other) => (one === other ? 1 : (layer + other) / 10),
    ...rest,
  };
}

export interface Opened {
  page: Page;
  /** The page's messages. */
  asked: PageMessage[];
  problems: string[];
  /** Sends changed models. */
  tell(models: Scripted[]): void;
  /** Ends all connections. */
  drop(): void;
}

/** Opens the page on models of a run. @param answersFirst may answer a question itself. */
export async function openRouting(
  models: Scripted[],
  options: BrowserContextOptions = {},
  answersFirst: (message: PageMessage, send: Send) => boolean = () => false,
): Promise<Opened> {
  let now = models;
  const opened = await openScripted(
    {
      page: "routing",
      start: { runs: [{ root, run: models[0]!.run }] },
      answer: (message, send) => {
        if (!answersFirst(message, send)) answer(message, now, send);
      },
    },
    options,
  );
  return {
    ...opened,
    tell(others) {
      now = others;
      const id = opened.asked.findLast(({ type }) => type === "openRouting")!.id;
      opened.say(openedMessage(id, now));
    },
  };
}

export const openedMessage = (id: number, models: Scripted[]) => ({
  type: "routingOpened",
  id,
  models: models.map(({ value: _value, transition: _transition, together: _together, ...model }) => model),
});

export function answer(message: PageMessage, models: Scripted[], send: Send): void {
  const say = (value: object) => send(JSON.stringify(value));
  const frame = (header: FrameHeader, values: Float32Array) =>
    send(encodeFrame(header, [new Uint8Array(values.buffer)]));
  const of = ({ key }: { key: string }) => models.find((model) => model.key === key)!;
  const { id } = message;
  switch (message.type) {
    case "runs":
      say({
        type: "runs",
        id,
        runs: [...new Map(runsOf(models).map(({ stages: _, ...run }) => [run.run, run])).values()],
      });
      break;
    case "open":
      say({ type: "opened", id, runs: runsOf(models) });
      return;
    case "openRouting":
      say(openedMessage(id, models));
      return;
    case "cancel":
      return;
    case "routing": {
      const model = of(message.model);
      for (const snapshot of message.snapshots) frame(...routingFrame(id, model, snapshot, message.measure));
      break;
    }
    case "routingPairs": {
      const { layers, experts, transition, together } = of(message.model);
      const [L, E] = [layers.length, experts.length];
      const { what } = message;
      if (what === "coActivation") {
        const all = Float32Array.from({ length: L * E * E }, (_, at) =>
          together(Math.floor(at / (E * E)), Math.floor(at / E) % E, at % E),
        );
        frame({ kind: "pairs", id, what, step: 50, shape: [L, E, E] }, all);
        break;
      }
      const values = Float32Array.from({ length: (L - 1) * E * E }, (_, at) =>
        transition(Math.floor(at / (E * E)), Math.floor(at / E) % E, at % E),
      );
      frame({ kind: "pairs", id, what, step: 50, shape: [L - 1, E, E] }, values);
      break;
    }
    case "routingLayers": {
      const model = of(message.model);
      const values = (value: number) => model.layers.map(() => value);
      const row = { entropy: values(0.5), imbalance: values(model.experts.length), variation: values(1.5) };
      say({
        type: "routingLayers",
        id,
        snapshot: message.snapshot,
        rows: [...model.domains.map(() => row), { ...row, imbalance: values(1), variation: values(0) }],
      });
      break;
    }
    case "routingHistogram": {
      // The router is sure: half of the tokens have probability 0, half 1.
      const E = of(message.model).experts.length;
      const values = Float32Array.from({ length: E * 10 }, (_, at) => (at % 10 === 0 || at % 10 === 9 ? 0.5 : 0));
      const { probe, layer, domain } = message;
      frame({ kind: "histogram", id, probe, layer, domain, shape: [E, 10] }, values);
      break;
    }
    case "inspect": {
      const { layers, domains } = of({ key: "aaaaaaaaaaaaaaaa" });
      say({ type: "inspectionNews", id, news: { done: 1, total: 2 } });
      const saturation = layers.map(() => [...domains.map((_, domain) => domain / 10), 0.75]);
      const answer = { layers, domains: domains.map(({ name }) => name), saturation };
      say({ type: "inspected", id, answer });
      break;
    }
    case "routingSaturation": {
      // A layer reaches more of its routing with every probe, and all of it at the last one.
      const { probes = 0, layers, domains, every } = of(message.model);
      const [L, rows] = [layers.length, domains.length + 1];
      const values = Float32Array.from({ length: probes * L * rows }, (_, at) =>
        at % rows === domains.length ? Math.floor(at / (L * rows)) / (probes - 1) : 0.25,
      );
      const steps = Array.from({ length: probes }, (_, probe) => probe * every);
      frame({ kind: "saturation", id, steps, shape: [probes, L, rows] }, values);
      break;
    }
    case "routingLoad": {
      const model = of(message.model);
      const [P, E] = [Math.min(model.snapshots, message.columns), model.experts.length];
      const domain = message.domain < 0 ? model.domains.length : message.domain;
      const values = Float32Array.from({ length: P * E }, (_, at) =>
        model.value("routedShare", Math.floor(at / E), domain, message.layer, at % E),
      );
      const steps = Array.from({ length: P }, (_, at) => (at + 1) * model.every);
      frame({ kind: "load", id, layer: message.layer, domain: message.domain, steps, shape: [P, E] }, values);
      break;
    }
  }
  say({ type: "done", id });
}

function routingFrame(
  id: number,
  model: Scripted,
  snapshot: number,
  measure: CellMeasure,
): [FrameHeader, Float32Array] {
  const [L, E, D] = [model.layers.length, model.experts.length, model.domains.length];
  const values = Float32Array.from({ length: (D + 1) * L * E }, (_, at) =>
    model.value(measure, snapshot, Math.floor(at / (L * E)), Math.floor(at / E) % L, at % E),
  );
  const step = snapshot < 0 ? model.steps : (snapshot + 1) * model.every;
  const { root: folder, key } = model;
  return [
    { kind: "routing", id, root: folder, key, snapshot, step, measure, shape: [D + 1, L, E], uniform: 1 / E },
    values,
  ];
}

export const runsOf = (models: Scripted[]) =>
  [...new Set(models.map(({ run }) => run))].map((run) => ({
    root,
    run,
    name: "known",
    created: "2026-03-04T12:30:00.000Z",
    state: "done",
    stages: models
      .filter((model) => model.run === run)
      .map(({ key, name, state }) => ({ key, name, kind: name, state })),
    mixes: [],
  }));

const drawn = (page: Page) => page.locator(".maps heat-map canvas").first().waitFor();

export async function openKnown(
  models: Scripted[] = [known()],
  options: BrowserContextOptions = {},
  answersFirst?: (message: PageMessage, send: Send) => boolean,
): Promise<Opened> {
  const opened = await openRouting(models, options, answersFirst);
  await drawn(opened.page);
  return opened;
}

/** The rows of a table's body, as texts. */
export const rowsOf = (page: Page, table: string): Promise<string[][]> =>
  page
    .locator(`table.${table} tbody tr`)
    .evaluateAll((rows) =>
      rows.map((row) =>
        [...(row as unknown as { cells: Iterable<{ textContent: string }> }).cells].map((cell) =>
          cell.textContent.trim(),
        ),
      ),
    );

/** Colours of cells, [rows][columns], taken at a corner without text. */
export const pixelsOf = (page: Page, map: number, rows: number, columns: number): Promise<string[][]> =>
  page.evaluate(`(() => {
    const map = document.querySelectorAll("heat-map")[${map}];
    const canvas = map.querySelector("canvas");
    const ratio = canvas.width / canvas.clientWidth;
    const context = canvas.getContext("2d");
    return Array.from({ length: ${rows} }, (_, row) => Array.from({ length: ${columns} }, (_, column) => {
      const { left, top, width, height } = map.rectangle({ row, column });
      const x = Math.round((left + 0.12 * width) * ratio);
      const y = Math.round((top + 0.2 * height) * ratio);
      const [r, g, b] = context.getImageData(x, y, 1, 1).data;
      return "#" + [r, g, b].map((one) => one.toString(16).padStart(2, "0")).join("");
    }));
  })()`);

export const colorAt = (share: number, dark = false) => shadeColor(rampColors("sequential", dark), shadeAt(share));

export async function press(page: Page, ...keys: string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

/** The lists of layers and domains. */
export const selects = (page: Page) => page.getByRole("group", { name: "Layer and domain" }).locator("select");

/** A model that starts uniform and ends with domain i at expert i. */
export const learning = (given: Parameters<typeof known>[0] = {}) =>
  known({
    value: (_measure, snapshot, domain, _layer, expert) =>
      snapshot < 0 || domain === 4 ? 0.25 : domain === expert ? 0.25 + snapshot * 0.1 : (0.75 - snapshot * 0.1) / 3,
    ...given,
  });
export const first = async (page: Page) => (await rowsOf(page, "maps"))[3]![2];
