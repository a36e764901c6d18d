import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ExpertFacts } from "../../../../server/protocol/inspect.ts";
import type { ExpertOrigin } from "../../../../server/protocol/pageInspections.ts";
import type { PageMessage } from "../../../../server/protocol/stream.ts";
import { answer as answerRouting, known, root } from "../routing/support.ts";
import { type OpenedPage, openScripted, type Send } from "../scripted.ts";
import { noBrowser, why } from "../support.ts";

const model = known({ size: [2, 3, 3], k: 2, together: (_layer, one, other) => (one === other ? 1 : other / 4) });
const { run, key } = model;

const origin: ExpertOrigin = {
  made: "whole",
  sources: [
    {
      root,
      key: "bbbbbbbbbbbbbbbb",
      name: "expert:e1",
      color: "two",
      state: "done",
      tokens: 500_000,
      seconds: 90,
      mixture: { d1: 1 },
      losses: { d0: 3, d1: 2.5 },
    },
  ],
  uses: [{ run, name: "known", stage: { root, key, name: "finetune", state: "done" } }],
};

const facts = (layers: number[]): ExpertFacts => {
  const token = (text: string, share: number) => ({
    text,
    share,
    base: 0.25,
    chosen: share * 100,
    choices: 100,
    occurrences: 50,
    contexts: [{ domain: "d1", layer: 0, before: "the ", token: text, after: " of\n" }],
  });
  const values = (value: number) => layers.map(() => value);
  return {
    layers,
    parameters: 123_456 * layers.length,
    distances: [
      { is: "seed", to: "seed", relative: values(0.125), cosine: values(0.99) },
      { is: "expert", to: "e0", relative: values(0.5), cosine: values(0.75) },
    ],
    input: Array.from({ length: 12 }, (_, at) => token(` t${at}`, (90 - at) / 100)),
    predicted: [token("=1+1", 0.5)],
    tokens: 48_000,
  };
};

type Inspect = Extract<PageMessage, { type: "inspect" }>;
type Say = (message: object) => void;
const paramsOf = (message: Inspect) => message.params as { layer?: number; off?: string[]; expert?: string };

function inspected(message: Inspect, say: Say): void {
  const { layer } = paramsOf(message);
  const done = (answer: object) => {
    say({ type: "inspected", id: message.id, answer });
    say({ type: "done", id: message.id });
  };
  if (message.inspection === "expert") done(facts(layer === undefined ? model.layers : [layer]));
  if (message.inspection === "without") {
    const loss = layer === undefined ? 3 : 2 + layer;
    done({ domains: [{ domain: "d1", with: 2, without: loss, tokens: 16_000 }] });
  }
}

function open(inspect: (message: Inspect, say: Say) => void = inspected): Promise<OpenedPage> {
  const answer = (message: PageMessage, send: Send) => {
    const say: Say = (one) => send(JSON.stringify(one));
    if (message.type === "inspect") inspect(message, say);
    else if (message.type === "expertOrigin") {
      say({ type: "expertOrigin", id: message.id, origin });
      say({ type: "done", id: message.id });
    } else answerRouting(message, [model], send);
  };
  return openScripted({ page: "expert", start: { runs: [{ root, run }], model: { root, key }, expert: "e1" }, answer });
}

const rows = ({ page }: OpenedPage, table: string) =>
  page
    .locator(`table.${table} tbody tr`)
    .evaluateAll((all) =>
      all.map((one) =>
        [...(one as unknown as { cells: { textContent: string }[] }).cells].map((cell) =>
          cell.textContent.replace(/\s+/g, " ").trim(),
        ),
      ),
    );

describe.skipIf(noBrowser)(`the expert page in a browser${why}`, () => {
  it("shows the origin and size of an expert, and the models that use it", async () => {
    const { page, problems } = await open();
    await expect.poll(() => page.locator("h1").innerText()).toContain("e1 of finetune, run 20260304-123000");
    await expect.poll(() => page.locator(".facts").innerText()).toContain("246,912 in 2 layers");
    const text = await page.locator(".facts").innerText();
    expect(text).toContain("the feed-forward blocks of expert:e1");
    expect(text).toContain(
      "trained on d1 100 %, 500,000 tokens, in 1 min 30 s; held-out loss of its own model: d0 3.000, d1 2.500 nats",
    );
    expect(text).toContain("finetune of known (20260304-123000)");
    expect(problems).toEqual([]);
  });

  it("shows its use by domain, the experts chosen with it, and its distances, as numbers", async () => {
    const opened = await open();
    await expect
      .poll(() => rows(opened, "use"))
      .toEqual([
        ["d0", "0 %", "0 %", "0 %"],
        ["d1", "100 %", "100 %", "100 %"],
        ["d2", "0 %", "0 %", "0 %"],
      ]);
    // A third of all tokens go to each expert; of e1's tokens none go to e0 and half to e2.
    await expect
      .poll(() => rows(opened, "co-activation"))
      .toEqual([
        ["e0", "0 %", "33.3 %", "0.00"],
        ["e2", "50 %", "33.3 %", "1.50"],
      ]);
    expect(await rows(opened, "distances")).toEqual([
      ["seed, before", "0.125", "0.125"],
      ["e0", "0.500", "0.500"],
      ["seed, before", "0.990", "0.990"],
      ["e0", "0.750", "0.750"],
    ]);
  });

  it("lists its most particular tokens with their context, and more of them on request", async () => {
    const opened = await open();
    await expect.poll(async () => (await rows(opened, "particular")).length).toBe(11);
    const [first] = await rows(opened, "particular");
    expect(first).toEqual(["·t0", "90 %", "25 %", "90 of 100", "the ·t0 of⏎ d1, layer 0"]);
    expect(await opened.page.locator("mark").first().textContent()).toBe("·t0");
    await opened.page.getByRole("button", { name: "Show all 12" }).click();
    await expect.poll(async () => (await rows(opened, "particular")).length).toBe(13);
  });

  it("measures the loss without it, as a whole and layer by layer, on request", async () => {
    const opened = await open();
    const { page, asked } = opened;
    expect(asked.some((one) => one.type === "inspect" && one.inspection === "without")).toBe(false);
    await page.getByRole("button", { name: "Measure without this expert" }).click();
    await expect
      .poll(() => rows(opened, "without"))
      .toEqual([["d1", "2.0000", "3.0000", "+1.0000 +50.00 %", "16,000"]]);
    await page.getByRole("button", { name: "Measure layer by layer" }).click();
    await expect.poll(() => rows(opened, "without-layers")).toEqual([["d1", "0.0000", "+1.0000"]]);
    // Another layer is another measurement.
    await page.getByRole("combobox", { name: "Layer" }).selectOption({ label: "layer 1" });
    await expect.poll(() => page.locator("table.without").count()).toBe(0);
    await expect.poll(() => page.locator(".facts").innerText()).toContain("123,456 in 1 layer");
  });

  it("shows progress, and can be cancelled", async () => {
    const opened = await open((message, say) => {
      if (message.inspection === "without")
        say({ type: "inspectionNews", id: message.id, news: { done: 1, total: 4 } });
      else inspected(message, say);
    });
    const { page, asked } = opened;
    await page.getByRole("button", { name: "Measure without this expert" }).click();
    const bar = page.getByRole("progressbar", { name: "Measuring losses without it" });
    await expect.poll(() => bar.evaluate((one) => (one as unknown as { position: number }).position)).toBe(0.25);
    await page.getByRole("button", { name: "Cancel" }).click();
    await bar.waitFor({ state: "detached" });
    expect(asked.some(({ type }) => type === "cancel")).toBe(true);
  });

  it("shows a problem in place of an answer, and can ask again", async () => {
    let attempts = 0;
    const { page } = await open((message, say) =>
      attempts++ === 0
        ? say({ type: "problem", id: message.id, text: "the checkpoint is gone" })
        : inspected(message, say),
    );
    await page.getByText("the checkpoint is gone").waitFor();
    await page.getByRole("button", { name: "Ask again" }).click();
    await page.locator("table.particular").first().waitFor();
  });

  it("lets two experts continue a prompt side by side, each alone", async () => {
    const samples: string[][] = [];
    const { page } = await open((message, say) => {
      if (message.inspection !== "sample") return inspected(message, say);
      samples.push(paramsOf(message).off!);
      const token = { chosen: [], gates: [], surprise: 2 };
      say({ type: "inspectionNews", id: message.id, news: { layers: [0, 1], experts: [{ name: "e0" }], k: 1 } });
      for (const text of [`by ${samples.length}`, "!"])
        say({ type: "inspectionNews", id: message.id, news: { ...token, text } });
      say({ type: "inspected", id: message.id, answer: { ended: "tokens" } });
      say({ type: "done", id: message.id });
    });
    await page.getByLabel("Prompt").fill("Say ");
    await page.getByRole("combobox", { name: "Beside" }).selectOption("e2");
    await page.getByRole("button", { name: "Continue" }).click();
    await expect.poll(() => page.locator(".beside pre").allTextContents()).toEqual(["Say by 1!", "Say by 2!"]);
    expect(samples).toEqual([
      ["e0", "e2"],
      ["e0", "e1"],
    ]);
    expect(await page.locator(".beside figcaption").first().innerText()).toContain("2 tokens, mean surprise 2.00 nats");
  });

  it("saves its tokens and distances, none of which a spreadsheet reads as a formula", async () => {
    const { page } = await open();
    await page.locator("table.particular").first().waitFor();
    const saved = async (name: string) => {
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name, exact: true }).click(),
      ]);
      return readFileSync(await download.path(), "utf8")
        .trimEnd()
        .split("\r\n");
    };
    const tokens = await saved("Tokens");
    expect(tokens).toHaveLength(14);
    expect(tokens[13]).toBe("predicted,'=1+1,0.5,0.25,50,100,50");
    expect((await saved("Weights"))[1]).toBe("seed,seed,0,0.125,0.99");
  });
});
