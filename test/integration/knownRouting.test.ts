import { readdirSync, readFileSync } from "node:fs";
import { chromium, type Page } from "playwright-core";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { runsFolder } from "../../server/runs/layout.ts";
import type { ExperimentFolder } from "../fixtures/experiment.ts";
import { forceRouters, writeKnownExperiment } from "../fixtures/knownRouting.ts";
import { browserPath, noBrowser, why } from "../unit/webview/support.ts";
import { btx, said } from "./btx.ts";
import { scratchFolder } from "./scratch.ts";
import { serve } from "./serving.ts";

/** A model that sends letters to one expert and digits to another, from its training to the pixels of the page. */
describe.skipIf(noBrowser)(`a run whose routing is known by construction${why}`, () => {
  let experiment: ExperimentFolder;

  beforeAll(async () => {
    experiment = writeKnownExperiment(scratchFolder());
    for (const force of [true, false]) {
      const ended = await btx(["run", experiment.file]);
      expect(ended.code, said(ended)).toBe(0);
      if (force) await forceRouters(experiment);
    }
  }, 120_000);

  it("is shown as exactly that, in the numbers of the page and in the pixels of its picture", async () => {
    const newest = readdirSync(runsFolder(experiment.root)).sort().at(-1)!;
    const { address } = await serve([newest], experiment.folder);
    const browser = await chromium.launch({
      executablePath: browserPath!,
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
    });
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    address.pathname = "/routing";
    await page.goto(address.href);
    await page.getByRole("button", { name: "Table" }).click();
    const table = async () =>
      (await page.locator("table.maps tbody tr").allInnerTexts()).map((row) =>
        row.split("\t").map((one) => one.trim()),
      );
    const rows = (domain: string, ...shares: string[]) => ["0", "1"].map((layer) => [domain, layer, ...shares]);
    await expect
      .poll(async () => (await table()).slice(2))
      .toEqual([...rows("digits", "0 %", "100 %", "0 %"), ...rows("letters", "100 %", "0 %", "0 %")]);

    const colors = await colorsOf(page);
    // Of the twelve cells of the two domains four are at the top of the scale, and eight at its end.
    const [none, own] = colors.slice(0, 2);
    expect(none![1] / own![1]).toBeGreaterThan(1.7);
    expect(none![1] / own![1]).toBeLessThan(2.9);

    // One token of the held-out text is none of the domain's: what ends a text begins it.
    await page.getByRole("button", { name: "Held-out text" }).click();
    await expect
      .poll(async () => (await table()).slice(2))
      .toEqual([...rows("digits", "0 %", "99.7 %", "0.31 %"), ...rows("letters", "99.7 %", "0 %", "0.31 %")]);

    // The token alone decides.
    await page.getByRole("combobox", { name: "Measure" }).click();
    await page.getByRole("option", { name: "Vocabulary, input" }).click();
    await expect
      .poll(async () => (await table()).slice(2))
      .toEqual([...rows("digits", "0 %", "100 %", "0 %"), ...rows("letters", "100 %", "0 %", "0 %")]);
    const heading = () => page.locator("h2").first().textContent();
    expect(await heading()).toBe("Vocabulary, input, held-out text");
    // Before the first step, too.
    await page.getByRole("button", { name: "Held-out text" }).click();
    await page.getByRole("slider", { name: "Step", exact: true }).press("Home");
    await expect.poll(heading).toMatch(/^Vocabulary, input, held-out tokens at step \d+$/);
    await expect
      .poll(async () => (await table()).slice(2))
      .toEqual([...rows("digits", "0 %", "100 %", "0 %"), ...rows("letters", "100 %", "0 %", "0 %")]);
    // So routers that were forced before the first step were from the first step on what they are.
    const settled = page.locator("table.saturation tbody tr");
    expect((await settled.allInnerTexts()).map((row) => [...new Set(row.split("\t").slice(2))])).toEqual([
      ["100 %"],
      ["100 %"],
    ]);
  });
});

/** Colours of the PNG of the maps that are no greys, and their pixels, the most frequent first. */
async function colorsOf(page: Page): Promise<[string, number][]> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Export PNG" }).click(),
  ]);
  const png = readFileSync(await download.path());
  const counts = (await page.evaluate(`(async () => {
    const bytes = Uint8Array.from(atob("${png.toString("base64")}"), (c) => c.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext("2d").drawImage(image, 0, 0);
    const { data } = canvas.getContext("2d").getImageData(0, 0, image.width, image.height);
    const found = {};
    for (let at = 0; at < data.length; at += 4) {
      const [r, g, b] = data.slice(at, at + 3);
      if (Math.max(r, g, b) - Math.min(r, g, b) < 12) continue;
      found[[r, g, b]] = (found[[r, g, b]] ?? 0) + 1;
    }
    return found;
  })()`)) as Record<string, number>;
  return Object.entries(counts).sort(([, a], [, b]) => b - a);
}
