import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import type { Metric } from "../../../server/protocol/stage.ts";
import { exact } from "../../../webview/components/format.ts";
import { writeRun } from "../../fixtures/runFolder.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { noBrowser, type Opened, openPage, why } from "./support.ts";

const nats = (value: number) => `${exact(value)} nats`;
const losses = (metrics: readonly Metric[] | undefined) => metrics!.map(({ loss }) => loss);

/** Opens the page on one run of the fixture. */
async function openRun(options: Parameters<typeof openPage>[2] = {}, run: Parameters<typeof writeRun>[1] = {}) {
  const written = writeRun(temporaryFolder(), { steps: 200, ...run });
  const opened = await openPage([written.root], { runs: [{ root: written.root, run: written.run }] }, options);
  await drawn(opened);
  return { ...written, ...opened };
}

/** Waits until there are values. */
const drawn = ({ row }: Pick<Opened, "row">) => row("seed").getByText("nats").first().waitFor();

/** The range of x: the first and last row of the table of values. */
async function span(page: Page): Promise<[string, string]> {
  const heads = page.locator("table.values").first().locator("tbody th");
  return [(await heads.first().textContent())!.trim(), (await heads.last().textContent())!.trim()];
}

/** Counts the pixels with the seed's grey, the mixture's blue, and a red that no line has. */
const coloured = (page: Page) =>
  page.evaluate(`(() => {
    const canvas = document.querySelector("line-chart canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const near = (at, r, g, b) => Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) < 60 && data[at + 3] > 200;
    const found = { seed: 0, mix: 0, red: 0 };
    for (let at = 0; at < data.length; at += 4) {
      if (near(at, 0x5b, 0x66, 0x73)) found.seed++;
      if (near(at, 0x0b, 0x5c, 0xad)) found.mix++;
      if (near(at, 255, 0, 0)) found.red++;
    }
    return found;
  })()`) as Promise<{ seed: number; mix: number; red: number }>;

/** Converts shares of the first chart's plot, from its left and top edges, to a position on the page. */
async function placesOf(page: Page): Promise<(x: number, y: number) => [number, number]> {
  const plot = (await page.evaluate(`(() => {
    const chart = document.querySelector("line-chart");
    const box = chart.getBoundingClientRect();
    const { left, top, width, height } = chart.plot;
    return { left: box.left + left, top: box.top + top, width, height };
  })()`)) as { left: number; top: number; width: number; height: number };
  return (x, y) => [plot.left + plot.width * x, plot.top + plot.height * y];
}

async function press(page: Page, ...keys: string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

describe.skipIf(noBrowser)(`the metrics page in a browser${why}`, () => {
  it("works in light, dark and forced colours, narrow and wide: nothing is blocked, fetched elsewhere or cut off", async () => {
    for (const look of [{ colorScheme: "light" }, { colorScheme: "dark" }, { forcedColors: "active" }] as const) {
      const { page, problems } = await openRun(look);
      for (const width of [420, 1200]) {
        await page.setViewportSize({ width, height: 900 });
        await expect
          .poll(() => page.evaluate("document.querySelector('line-chart canvas').clientWidth"))
          .toBeLessThan(width);
        await expect.poll(() => page.evaluate("document.documentElement.scrollWidth")).toBe(width);
      }
      expect(await page.title()).toBe("three-domains: metrics");
      expect(problems).toEqual([]);
      await page.close();
    }
  });

  it("lists every stage with its colour, state, last and lowest loss", async () => {
    const { page, row, fixture } = await openRun();
    for (const [stage, shown] of [
      ["seed", "seed"],
      ["expert:math", "expert math"],
      ["finetune", "finetune"],
    ] as const) {
      const cells = await row(shown).locator("td").allTextContents();
      const values = losses(fixture.metrics.get(stage));
      expect(cells[0]).toBe("done");
      expect(cells[1]!.trim()).toBe(nats(values.at(-1)!));
      expect(cells[2]).toContain(nats(Math.min(...values)));
    }
    const colors = await page
      .locator(".legend .swatch line")
      .evaluateAll((lines) =>
        lines.map((line) => (line as unknown as { getAttribute(name: string): string }).getAttribute("stroke")),
      );
    expect(new Set(colors).size).toBe(7);
  });

  it("draws the lines in their colours at their values", async () => {
    const { page, chart } = await openRun({ colorScheme: "light" });
    const counts = await coloured(page);
    expect(counts).toMatchObject({ red: 0 });
    expect(counts.seed).toBeGreaterThan(200);
    expect(counts.mix).toBeGreaterThan(50);
    expect(await chart().getAttribute("aria-label")).toContain(
      "training loss, nats per token over optimizer steps, 7 lines",
    );
  });

  it("shows exact values under the pointer", async () => {
    const { page, chart, fixture } = await openRun();
    const box = (await chart().boundingBox())!;
    await page.mouse.move(box.x + box.width / 3, box.y + box.height / 2);
    const values = page.locator(".chart-values");
    await values.getByText("seed").waitFor();
    const step = Number(/step (\d+)/.exec((await values.textContent())!)![1]);
    const near = losses(fixture.metrics.get("seed"))
      .slice(Math.max(0, step - 3), step + 2)
      .map(nats);
    const text = (await values.textContent())!;
    expect(near.filter((one) => text.includes(one))).toHaveLength(1);
    await page.mouse.move(2, 2);
    await values.waitFor({ state: "hidden" });
  });

  it("has an x axis of steps, tokens, time or operations, with stages after one another or all from zero", async () => {
    const { page, problems } = await openRun();
    await page.getByRole("button", { name: "Table" }).click();
    await expect.poll(() => span(page)).toEqual(["step 1", "step 600"]);
    await page.getByText("All stages from 0").click();
    await expect.poll(() => span(page)).toEqual(["step 1", "step 400"]);
    await page.getByText("All stages from 0").click();
    for (const [name, last] of [
      ["Tokens", "614,400 tokens"],
      ["Time", "30 s"],
      ["FLOPs", /^\S+ [A-Z]FLOPs$/],
      ["Step", "step 600"],
    ] as const) {
      await page.getByRole("combobox", { name: "x axis" }).click();
      await page.getByRole("option", { name }).click();
      await expect.poll(async () => (await span(page))[1]).toMatch(last);
    }
    expect(problems).toEqual([]);
  });

  it("smooths by the mean that the slider sets", async () => {
    const { page, fixture } = await openRun();
    await page.getByRole("button", { name: "Table" }).click();
    const slider = page.getByRole("slider", { name: "Smoothing" });
    const last = page.locator("table.values tbody tr").last().locator("td").nth(5);
    await slider.focus();
    await press(page, "Home");
    expect(await slider.getAttribute("aria-valuetext")).toBe("off");
    const values = losses(fixture.metrics.get("dense"));
    await expect.poll(() => last.textContent()).toBe(nats(values.at(-1)!));
    await press(page, "ArrowRight", "ArrowRight");
    expect(await slider.getAttribute("aria-valuetext")).toBe("mean of 11 steps");
    const mean = values.slice(-6).reduce((sum, value) => sum + value, 0) / 6;
    await expect.poll(() => last.textContent()).toBe(nats(mean));
  });

  it("has a chart for each chosen measure", async () => {
    const { page, chart } = await openRun();
    expect(await page.getByRole("group", { name: "Charts of" }).getByRole("button").allTextContents()).toEqual(
      ["Loss", "Learning rate", "Gradient norm", "Tokens/s", "Load balance"].map((name) =>
        expect.stringContaining(name),
      ),
    );
    await page.getByRole("button", { name: "Load balance" }).click();
    await page.getByRole("button", { name: "Learning rate" }).click();
    await chart(2).waitFor();
    // Recorded for mixtures only; measures that no stage has are not offered.
    await expect.poll(() => chart(2).getAttribute("aria-label")).toContain("2 lines");
    await page.getByRole("button", { name: "Loss" }).click();
    await page.getByRole("button", { name: "Load balance" }).click();
    await page.getByRole("button", { name: "Learning rate" }).click();
    await expect.poll(() => page.locator("line-chart").count()).toBe(1);
  });

  it("zooms along x or y by dragging or with the wheel, and back", async () => {
    const { page } = await openRun();
    await page.getByRole("button", { name: "Table" }).click();
    const at = await placesOf(page);
    const drag = async (from: readonly [number, number], to: readonly [number, number]) => {
      await page.mouse.move(...from);
      await page.mouse.down();
      await page.mouse.move(...to, { steps: 4 });
      await page.mouse.up();
    };
    const ends = async () => (await span(page)).map((text) => Number(text.replaceAll(/\D/g, "")));
    await drag(at(0.25, 0.5), at(0.5, 0.52));
    await expect
      .poll(async () => Math.abs((await ends())[0]! - 151) + Math.abs((await ends())[1]! - 300))
      .toBeLessThan(12);
    const before = (await ends())[1]!;
    await page.getByRole("radio", { name: "Move" }).click();
    await drag(at(0.5, 0.5), at(0.25, 0.5));
    await expect.poll(async () => (await ends())[1]! - before).toBeGreaterThan(25);
    await page.mouse.dblclick(...at(0.5, 0.5));
    await expect.poll(ends).toEqual([1, 600]);
    await page.keyboard.down("Control");
    await page.mouse.move(...at(0, 0.5));
    for (let turn = 0; turn < 4; turn++) await page.mouse.wheel(0, -120);
    await page.keyboard.up("Control");
    await expect.poll(async () => (await ends())[1]!).toBeLessThan(120);
    await page.getByRole("button", { name: "Show all" }).click();
    await expect.poll(ends).toEqual([1, 600]);
    await page.getByRole("radio", { name: "Zoom" }).click();
    await drag(at(0.5, 0.3), at(0.505, 0.8));
    // Only y changes.
    expect(await ends()).toEqual([1, 600]);
  });

  it("draws its lines in their colours even while it is dragged and the browser is slow", async () => {
    const { page, chart } = await openRun({ colorScheme: "light" });
    await page.evaluate(
      "window.put_ = 0; const put = CanvasRenderingContext2D.prototype.putImageData; CanvasRenderingContext2D.prototype.putImageData = function (...given) { put_++; return put.apply(this, given); }",
    );
    await chart().focus();
    // A part of the whole range, so that there is room to move.
    await press(page, "+", "+");
    const throttled = await page.context().newCDPSession(page);
    await throttled.send("Emulation.setCPUThrottlingRate", { rate: 20 });
    const box = (await chart().boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.keyboard.down("Alt");
    await page.mouse.down();
    await expect
      .poll(async () => {
        await page.mouse.move(box.x + box.width / 2 + 3, box.y + box.height / 2);
        await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
        return page.evaluate("put_");
      })
      .toBeGreaterThan(0);
    await throttled.send("Emulation.setCPUThrottlingRate", { rate: 1 });
    const moving = await coloured(page);
    await page.mouse.up();
    await page.keyboard.up("Alt");
    const put = await page.evaluate("put_");
    const still = await coloured(page);
    expect(await page.evaluate("put_")).toBe(put);
    expect(moving.red).toBe(0);
    for (const line of ["seed", "mix"] as const) {
      expect(moving[line]).toBeGreaterThan(still[line] * 0.5);
      expect(moving[line]).toBeLessThan(still[line] * 3);
    }
  });

  it("shows exact figures of a selected range", async () => {
    const { page, row, fixture } = await openRun();
    const at = await placesOf(page);
    await page.keyboard.down("Shift");
    await page.mouse.move(...at(0.1, 0.5));
    await page.mouse.down();
    await page.mouse.move(...at(0.2, 0.5), { steps: 3 });
    await page.mouse.up();
    await page.keyboard.up("Shift");
    const caption = page.locator("table.legend caption strong");
    const [from, to] = [.../step (\d+) to step (\d+)/.exec((await caption.textContent())!)!].slice(1).map(Number) as [
      number,
      number,
    ];
    expect(Math.abs(from - 61) + Math.abs(to - 121)).toBeLessThan(6);
    await expect.poll(() => row("seed").locator("td").last().textContent()).toMatch(/nats/);
    const [mean, low, high] = (await row("seed").locator("td").allTextContents()).slice(-3);
    const values = losses(fixture.metrics.get("seed"));
    // The edges of the selection are between steps.
    const possible = [from - 1, from, from + 1].flatMap((first) =>
      [to - 1, to, to + 1].map((last) => values.slice(first - 1, last)),
    );
    expect(possible.map((some) => nats(some.reduce((a, b) => a + b) / some.length))).toContain(mean);
    expect(possible.map((some) => nats(Math.min(...some)))).toContain(low);
    expect(possible.map((some) => nats(Math.max(...some)))).toContain(high);
    expect(await row("finetune").locator("td").last().textContent()).toBe("–");
  });
});
