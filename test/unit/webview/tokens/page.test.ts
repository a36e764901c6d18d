import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { RoutedText } from "../../../../server/protocol/inspect.ts";
import type { PageMessage } from "../../../../server/protocol/stream.ts";
import { answer as answerRouting, known, root } from "../routing/support.ts";
import { type OpenedPage, openScripted, type Send } from "../scripted.ts";
import { noBrowser, why } from "../support.ts";

/** Letters go to e0 and digits to e1 in even layers, the other way round in odd ones; the second expert is e2. */
const model = known({ size: [3, 3, 2], k: 2 });
const run = model.run;

function routed(text: string): RoutedText {
  const tokens = [...text].map((_, at) => ({ start: at, end: at + 1 }));
  const first = (layer: number, at: number) => (/\d/.test(text[at]!) === (layer % 2 === 0) ? 1 : 0);
  const each = <T>(value: (layer: number, at: number) => T[]) =>
    model.layers.flatMap((_, layer) => tokens.flatMap((__, at) => value(layer, at)));
  return {
    layers: model.layers,
    experts: [
      { name: "e0", color: "one" },
      { name: "e1", color: "two" },
      { name: "e2", color: "three" },
    ],
    k: 2,
    tokens,
    chosen: each((layer, at) => [first(layer, at), 2]),
    gates: each(() => [0.75, 0.25]),
    surprise: tokens.map((_, at) => (at === 0 ? null : 2)),
    predicted: tokens.map(() => "\n"),
    measures: {
      cells: {
        routedShare: model.layers.flatMap((_, layer) => (layer === 0 ? [0.25, 0.25, 0.5] : [0.125, 0.375, 0.5])),
        probability: model.layers.flatMap(() => [0.5, 0.3, 0.2]),
      },
      layers: { entropy: [0.5, 0.6, 0.7], imbalance: [1.5, 2, 3], variation: [0.1, 0.2, 0.3] },
      // All tokens of an expert are in one bin; those of e0 in the first.
      histogram: model.layers.flatMap(() =>
        [0, 1, 2].flatMap((expert) => Array.from({ length: 10 }, (_, bin) => Number(bin === 3 * expert))),
      ),
    },
  };
}

type Inspect = Extract<PageMessage, { type: "inspect" }>;
const said = (message: Inspect) => message.params as { text: string; k?: number; off?: string[] };

function answered(message: Inspect, say: (message: object) => void): void {
  say({ type: "inspected", id: message.id, answer: routed(said(message).text) });
  say({ type: "done", id: message.id });
}

async function open(
  text: string | undefined,
  inspect: (message: Inspect, say: (message: object) => void) => void = answered,
): Promise<OpenedPage> {
  const answer = (message: PageMessage, send: Send) => {
    if (message.type === "inspect") inspect(message, (one) => send(JSON.stringify(one)));
    else answerRouting(message, [model], send);
  };
  const start = { runs: [{ root, run }], model: { root, key: model.key }, ...(text === undefined ? {} : { text }) };
  return openScripted({ page: "tokens", start, answer });
}

const marked = ({ page }: OpenedPage) =>
  page
    .locator(".text span[data-token]")
    .evaluateAll((spans) => spans.map((span) => `${span.textContent} ${/on-(\w+)/.exec(span.className)?.[1]}`));

describe.skipIf(noBrowser)(`the tokens page in a browser${why}`, () => {
  it("marks each token by its expert, over all layers or in one", async () => {
    const opened = await open("a1b");
    await expect.poll(() => marked(opened)).toEqual(["a one", "1 two", "b one"]);
    const { page, problems } = opened;
    await page.getByRole("combobox", { name: "Colours of" }).selectOption({ label: "layer 1" });
    await expect.poll(() => marked(opened)).toEqual(["a two", "1 one", "b two"]);
    expect(await page.locator(".legend-line").innerText()).toMatch(/e0\s+33.3 %\s+e1\s+66.7 %\s+e2\s+0 %/);
    expect(await page.locator(".notices").innerText()).toContain("3 tokens, mean surprise 2.000 nats");
    expect(problems).toEqual([]);
  });

  it("shows the same as numbers: gates of every layer, pairs, measures of the text, flow", async () => {
    const { page } = await open("a1b");
    await page.getByRole("button", { name: "Table" }).click();
    const rows = (table: string) =>
      page
        .locator(`table.${table} tbody tr`)
        .evaluateAll((all) =>
          all.map((one) =>
            [...(one as unknown as { cells: { textContent: string }[] }).cells].map((cell) =>
              cell.textContent.replace(/\s+/g, " ").trim(),
            ),
          ),
        );
    await expect
      .poll(async () => (await rows("tokens"))[1])
      .toEqual(["2", "1", "2.00 nats", "⏎", "e1 0.75, e2 0.25", "e0 0.75, e2 0.25", "e1 0.75, e2 0.25"]);
    // Nine choices of a first expert: letters in two layers and the digit in one are e0's.
    expect(await rows("pairs")).toEqual([
      ["e0", "5", "0", "5"],
      ["e1", "0", "4", "4"],
      ["e2", "5", "4", "9"],
    ]);
    expect((await rows("cells"))[0]).toEqual(["0", "25 %", "25 %", "50 %"]);
    await page.getByRole("combobox", { name: "Measure" }).selectOption({ label: "Router probability" });
    await expect.poll(async () => (await rows("cells"))[2]).toEqual(["2", "50 %", "30 %", "20 %"]);
    expect((await rows("layers"))[1]).toEqual(["1", "0.600 of 1.10", "2.00", "0.20"]);
    // A letter's first expert is e0 in the first layer and e1 in the second; its other choice is e2 in both.
    expect((await rows("cells"))[3]).toEqual(["0", "e0", "e1 50 %, e2 50 %"]);
    expect((await rows("cells"))[4]).toEqual(["0", "e1", "e0 50 %, e2 50 %"]);
    await page.locator(".histogram .map-box").focus();
    await page.keyboard.press("End");
    await expect
      .poll(() => page.locator(".histogram [role=gridcell]").getAttribute("aria-label"))
      .toMatch(/^expert e\d: probability 90–100 % for/);
    await page.locator(".flow-box").focus();
    await expect.poll(() => page.locator("figure.flow .read").innerText()).toContain("Layer 0, expert e0");
  });

  it("draws all layers by all tokens in the colours of their experts", async () => {
    const { page } = await open("a1b");
    await page.locator("token-grid canvas").waitFor();
    const colors = () =>
      page.evaluate(`(() => {
        const grid = document.querySelector("token-grid");
        const context = grid.querySelector("canvas").getContext("2d");
        return [0, 1, 2].map((layer) => [0, 1, 2].map((token) => {
          const { left, top, width, height } = grid.rectangle({ layer, token });
          return [...context.getImageData(left + width / 4, top + height / 4, 1, 1).data].join();
        }));
      })()`) as Promise<string[][]>;
    await expect.poll(async () => new Set((await colors()).flat()).size).toBe(2);
    const [even, odd] = await colors();
    expect(even![0]).toBe(even![2]);
    expect(even![0]).toBe(odd![1]);
    expect(even![1]).toBe(odd![0]);
  });

  it("can be read with the keyboard: every cell with its experts, and Enter chooses a layer", async () => {
    const opened = await open("a1b");
    const { page } = opened;
    await page.locator(".grid-box").focus();
    for (const key of ["ArrowDown", "ArrowDown", "ArrowRight"]) await page.keyboard.press(key);
    expect(await page.locator("#grid-cell").getAttribute("aria-label")).toBe("layer 1, token 2 1: e0 0.75, e2 0.25");
    expect(await page.locator(".detail").innerText()).toContain("surprise 2.00 nats");
    await page.keyboard.press("Enter");
    await expect.poll(() => marked(opened)).toEqual(["a two", "1 one", "b two"]);
  });

  it("routes typed text after a pause, and cancels the text before it", async () => {
    const held: (() => void)[] = [];
    const opened = await open("first", (message, say) => held.push(() => answered(message, say)));
    const { page, asked } = opened;
    await expect.poll(() => held.length).toBe(1);
    await page.getByLabel("Text", { exact: true }).fill("7x");
    await expect.poll(() => held.length).toBe(2);
    expect(asked.some(({ type }) => type === "cancel")).toBe(true);
    held[1]!();
    held[0]!();
    await expect.poll(() => marked(opened)).toEqual(["7 two", "x one"]);
  });

  it("can change the experts per token and switch experts off, except the last one", async () => {
    const { page, asked } = await open("a1b");
    const last = () => said(asked.findLast((one): one is Inspect => one.type === "inspect")!);
    await page.locator(".text").waitFor();
    await page.getByRole("combobox", { name: "Experts per token" }).selectOption("1");
    await expect.poll(() => last().k).toBe(1);
    for (const name of ["e0", "e2"]) await page.getByRole("checkbox", { name }).uncheck();
    await expect.poll(() => last().off).toEqual(["e0", "e2"]);
    expect(await page.getByRole("checkbox", { name: "e1" }).isDisabled()).toBe(true);
  });

  it("shows why a text could not be routed, and can ask again", async () => {
    let attempts = 0;
    const opened = await open("a", (message, say) =>
      attempts++ === 0 ? say({ type: "problem", id: message.id, text: "the model is gone" }) : answered(message, say),
    );
    await opened.page.getByText("the model is gone").waitFor();
    await opened.page.getByRole("button", { name: "Ask again" }).click();
    await expect.poll(() => marked(opened)).toEqual(["a one"]);
  });

  it("saves its grid and values", async () => {
    const { page } = await open("a1b");
    await page.locator(".text").waitFor();
    const [csv] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Export CSV" }).click(),
    ]);
    expect(csv.suggestedFilename()).toBe("finetune-tokens.csv");
    const lines = readFileSync(await csv.path(), "utf8")
      .trimEnd()
      .split("\r\n");
    expect(lines).toHaveLength(1 + 3 * 3);
    expect(lines[5]).toBe("2,1,2,1,2,⏎,1,e0,0.75,e2,0.25");
    const [png] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Export PNG" }).click(),
    ]);
    expect(
      readFileSync(await png.path())
        .subarray(1, 4)
        .toString(),
    ).toBe("PNG");
  });
});
