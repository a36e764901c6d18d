import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { cellMeasures, otherMeasures } from "../../../../server/protocol/measures.ts";
import { anchor, rampColors, shadeAt, shadeColor } from "../../../../webview/components/colorScale.ts";
import { noBrowser, why } from "../support.ts";
import { known, type Opened, openRouting, root, type Scripted } from "./support.ts";

const drawn = (page: Page) => page.locator(".maps heat-map canvas").first().waitFor();

async function openKnown(
  models: Scripted[] = [known()],
  options: Parameters<typeof openRouting>[1] = {},
): Promise<Opened> {
  const opened = await openRouting(models, options);
  await drawn(opened.page);
  return opened;
}

/** The rows of a table's body, as texts. */
const rowsOf = (page: Page, table: string): Promise<string[][]> =>
  page
    .locator(`table.${table} tbody tr`)
    .evaluateAll((rows) =>
      rows.map((row) =>
        [...(row as unknown as { cells: Iterable<{ textContent: string }> }).cells].map((cell) =>
          cell.textContent.trim(),
        ),
      ),
    );

/** Colours of cells, a corner of each where no number lies, [rows][columns]. */
const pixelsOf = (page: Page, map: number, rows: number, columns: number): Promise<string[][]> =>
  page.evaluate(`(() => {
    const canvas = document.querySelectorAll("heat-map canvas")[${map}];
    const ratio = canvas.width / canvas.clientWidth;
    const [left, top, width, height] = [30, 1, canvas.clientWidth - 31, canvas.clientHeight - 21];
    const context = canvas.getContext("2d");
    return Array.from({ length: ${rows} }, (_, row) => Array.from({ length: ${columns} }, (_, column) => {
      const x = Math.round((left + (column + 0.12) * width / ${columns}) * ratio);
      const y = Math.round((top + (row + 0.2) * height / ${rows}) * ratio);
      const [r, g, b] = context.getImageData(x, y, 1, 1).data;
      return "#" + [r, g, b].map((one) => one.toString(16).padStart(2, "0")).join("");
    }));
  })()`);

const colorAt = (share: number, dark = false) => shadeColor(rampColors("sequential", dark), shadeAt(share));

async function press(page: Page, ...keys: string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

/** Of the layer and the domain. */
const selects = (page: Page) => page.getByRole("group", { name: "Layer and domain" }).locator("select");

describe.skipIf(noBrowser)(`the routing page in a browser${why}`, () => {
  it("shows a routing that sends domain i to expert i as exactly that, in its table and in the pixels of its maps", async () => {
    const { page, problems } = await openKnown();
    await page.getByRole("button", { name: "Table" }).click();
    const rows = await rowsOf(page, "maps");
    const expected = ["all domains", "d0", "d1", "d2", "d3"].flatMap((domain, place) =>
      [0, 1, 2].map((layer) => [
        domain,
        String(layer),
        ...[0, 1, 2, 3].map((expert) => (place === 0 ? "25 %" : expert === place - 1 ? "100 %" : "0 %")),
      ]),
    );
    expect(rows).toEqual(expected);
    // Row below row, as a table has them.
    const tops = await page
      .locator("table.maps tr")
      .evaluateAll((all) => all.map((row) => row.getBoundingClientRect().top));
    expect(tops).toEqual([...new Set(tops)].sort((a, b) => a - b));
    // All domains together are uniform, which is a colour of its own.
    expect(await pixelsOf(page, 0, 3, 4)).toEqual(Array.from({ length: 3 }, () => Array(4).fill(colorAt(anchor))));
    for (const domain of [0, 1, 2, 3]) {
      const row = [0, 1, 2, 3].map((expert) => colorAt(expert === domain ? 1 : 0));
      expect(await pixelsOf(page, 1 + domain, 3, 4)).toEqual([row, row, row]);
    }
    expect(await page.locator(".scale").textContent()).toMatch(/uniform 25 %[\s\S]*least 0 %, greatest 100 %/);
    expect(await page.getByRole("list", { name: "Balance" }).textContent()).toContain("No expert is dead");
    expect(await rowsOf(page, "flow")).toEqual([0, 1, 2, 3].map((expert) => [`e${expert}`, `e${expert} 100 %`]));
    expect(await rowsOf(page, "load")).toEqual([1, 2, 3, 4, 5].map((at) => [`${at}0`, "25 %", "25 %", "25 %", "25 %"]));
    expect(problems).toEqual([]);
  });

  it("is sound in light, dark and forced colours, narrow and wide: nothing refused or cut off", async () => {
    for (const look of [{ colorScheme: "light" }, { colorScheme: "dark" }, { forcedColors: "active" }] as const) {
      const { page, problems } = await openKnown([known()], look);
      for (const width of [420, 1200]) {
        await page.setViewportSize({ width, height: 900 });
        await page.waitForFunction(`document.querySelector("heat-map canvas").clientWidth < ${width}`);
        expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
      }
      expect(await page.title()).toBe("known: routing");
      expect(problems).toEqual([]);
    }
  });

  it("draws a map out of sight again when it is scrolled to", async () => {
    const { page } = await openKnown([
      known({
        size: [32, 16, 16],
        value: (_measure, snapshot, _domain, _layer, expert) => (expert === snapshot ? 1 : 0),
      }),
    ]);
    const first = async (map: number) => (await pixelsOf(page, map, 32, 16))[0];
    const at = (snapshot: number) => Array.from({ length: 16 }, (_, expert) => colorAt(expert === snapshot ? 1 : 0));
    await page.getByRole("slider", { name: "Step", exact: true }).press("Home");
    await expect.poll(() => first(0)).toEqual(at(0));
    await page.getByRole("slider", { name: "Step", exact: true }).press("ArrowRight");
    await expect.poll(() => first(0)).toEqual(at(1));
    expect(await first(16)).not.toEqual(at(1));
    await page.locator("heat-map").nth(16).scrollIntoViewIfNeeded();
    await expect.poll(() => first(16)).toEqual(at(1));
  });

  it("says of every measure how it is worked out", async () => {
    const { page } = await openKnown();
    await page.getByText("Measures", { exact: true }).click();
    const help = page.locator("details.measures");
    for (const { label, formula, meaning } of [...Object.values(cellMeasures), ...Object.values(otherMeasures)]) {
      const said = help.locator("dl div").filter({ has: page.locator("dt", { hasText: new RegExp(`^${label}$`) }) });
      expect(await said.locator("dd").innerText()).toContain(meaning);
      expect(await said.locator("code").innerText()).toBe(formula.replaceAll(/_(?=\w)/g, ""));
    }
  });

  it("shows what is measured of held-out text alone on held-out text, and nothing that a model has not", async () => {
    const own = known({
      cells: ["routedShare", "vocabularyInput"],
      value: (measure, snapshot) => (measure === "vocabularyInput" && snapshot === -1 ? 0.5 : 0.25),
    });
    const { page, tell } = await openKnown([own]);
    await page.getByRole("combobox", { name: "Measure" }).click();
    await page.getByRole("option", { name: "Vocabulary, input" }).click();
    await page.getByRole("button", { name: "Table" }).click();
    await expect
      .poll(async () => (await rowsOf(page, "maps"))[0])
      .toEqual(["all domains", "0", ...Array(4).fill("50 %")]);
    expect(await page.locator("h2").first().textContent()).toContain("held-out text");
    expect(await page.getByRole("slider", { name: "Step", exact: true }).isDisabled()).toBe(true);
    tell([{ ...own, cells: ["routedShare"] }]);
    await expect.poll(() => page.locator("h2").first().textContent()).toContain("Routed share");
  });

  it("shows what is measured of held-out text at the last probe that is not after a step, and says which that is", async () => {
    const cells = ["routedShare", "vocabularyInput"] as const;
    /** Of probes, the measure says which it is. */
    const probed = known({
      cells: [...cells],
      probed: { probes: 5, every: 15 },
      value: (measure, at) => (measure === "vocabularyInput" ? (at < 0 ? 0.9 : at / 10) : 0.25),
    });
    const { page, asked, problems, tell } = await openKnown([probed]);
    await page.getByRole("combobox", { name: "Measure" }).click();
    await page.getByRole("option", { name: "Vocabulary, input" }).click();
    await page.getByRole("button", { name: "Table" }).click();
    const value = async () => (await rowsOf(page, "maps"))[0]![2];
    const title = () => page.locator("h2").first().textContent();
    const histogram = page.locator("figure.square", { hasText: "Router probability" }).locator("figcaption");
    const slider = page.getByRole("slider", { name: "Step", exact: true });
    // After steps 0, 15, 30, 45 and 50; a snapshot every ten.
    await slider.focus();
    for (const [key, step, probe] of [
      ["End", 50, 4],
      ["ArrowLeft", 30, 2],
      ["ArrowLeft", 30, 2],
      ["ArrowLeft", 15, 1],
      ["ArrowLeft", 0, 0],
    ] as const) {
      await press(page, key);
      await expect.poll(title).toBe(`Vocabulary, input, held-out tokens at step ${step}`);
      await expect.poll(value).toBe(`${probe * 10} %`);
      await expect.poll(() => histogram.innerText()).toMatch(new RegExp(`held-out tokens at step ${step}$`));
    }
    await page.getByRole("button", { name: "Play" }).click();
    await expect.poll(value, { timeout: 10_000 }).toBe("40 %");
    await page.getByRole("button", { name: "Play" }).waitFor();
    await page.getByRole("button", { name: "Held-out text" }).click();
    await expect.poll(value).toBe("90 %");
    await expect.poll(title).toBe("Vocabulary, input, held-out text");
    await expect.poll(() => histogram.innerText()).toMatch(/held-out text$/);
    // The last probe is not there yet: what it will show is not what is shown for it now.
    await page.getByRole("button", { name: "Held-out text" }).click();
    tell([{ ...probed, state: "running", probed: { probes: 4, every: 15 } }]);
    await expect.poll(title).toBe("Vocabulary, input, held-out tokens at step 45");
    await expect.poll(value).toBe("30 %");
    tell([probed]);
    await expect.poll(title).toBe("Vocabulary, input, held-out tokens at step 50");
    await expect.poll(value).toBe("40 %");
    // Each probe is asked for once, whatever snapshots show it.
    const questions = asked.flatMap((one) =>
      one.type === "routing" && one.measure === "vocabularyInput" ? one.snapshots : [],
    );
    expect(questions.toSorted()).toEqual([-1, 0, 1, 2, 3, 4]);
    expect(problems).toEqual([]);
  });

  it("subtracts what was measured at one probe from another", async () => {
    const probed = known({
      cells: ["vocabularyPredicted"],
      probed: { probes: 6, every: 10 },
      value: (_measure, at) => at / 10,
    });
    const { page } = await openKnown([probed, known({ key: "bbbbbbbbbbbbbbbb", name: "upcycling" })]);
    await page.getByRole("button", { name: "Table" }).click();
    await page.getByRole("combobox", { name: "Compare with" }).click();
    await page.getByRole("option", { name: "another snapshot" }).click();
    await expect.poll(async () => (await rowsOf(page, "maps"))[0]![2]).toBe("+40 points");
    expect(await page.locator("h2").first().textContent()).toBe(
      "Vocabulary, predicted, held-out tokens at step 50 minus held-out tokens at step 10",
    );
    // Of which it was not measured.
    await page.getByRole("combobox", { name: "Compare with" }).click();
    await page.getByRole("option", { name: "upcycling" }).click();
    await expect.poll(async () => (await rowsOf(page, "maps"))[0]![2]).toBe("50 %");
  });

  it("draws in the other direction on a dark page, with the uniform value at the same place", async () => {
    const { page } = await openKnown([known()], { colorScheme: "dark" });
    expect((await pixelsOf(page, 0, 3, 4))[0]![0]).toBe(colorAt(anchor, true));
    expect((await pixelsOf(page, 2, 3, 4))[0]).toEqual([0, 1, 0, 0].map((value) => colorAt(value, true)));
  });

  it("names dead and dominating experts in words, with their layers", async () => {
    const skewed = known({
      value: (_measure, _snapshot, _domain, layer, expert) => (layer === 1 ? [0.9, 0.08, 0.02, 0][expert]! : 0.25),
    });
    const { page } = await openKnown([skewed]);
    const said = page.getByRole("list", { name: "Balance" }).getByRole("listitem");
    await expect.poll(() => said.count()).toBe(3);
    expect((await said.allTextContents()).map((text) => text.trim())).toEqual([
      "Expert e0 dominates layer 1: more than 62.5 % of the tokens choose it.",
      "Expert e2 is dead in layer 1: it gets less than a tenth of an equal share.",
      "Expert e3 is dead in layer 1: it gets less than a tenth of an equal share.",
    ]);
  });

  it("says of each layer how sharp and how even its routing is, and how far it moved when that is asked for", async () => {
    const { page, asked } = await openRouting([known()]);
    const row = page.locator("table.layers tbody tr").first();
    await expect.poll(() => row.innerText()).toMatch(/^0\s+0\.500 of 1\.39\s+1\.00\s+0\.00$/);
    await page.getByRole("button", { name: "Measure saturation since mix" }).click();
    await expect.poll(() => row.innerText()).toMatch(/75 %$/);
    expect(asked.find(({ type }) => type === "inspect")).toMatchObject({
      inspection: "saturation",
      params: {
        model: { root, run: "20260304-123000", stage: "finetune" },
        other: { root, run: "20260304-123000", stage: "mix" },
      },
    });
    await selects(page).nth(1).selectOption({ label: "d2" });
    await expect.poll(() => row.innerText()).toMatch(/4\.00\s+1\.50\s+20 %$/);
  });

  it("shows which experts a layer chooses together and how sure its router is, where tokens have two", async () => {
    const { page } = await openRouting([known({ k: 2 })]);
    await page.getByRole("button", { name: "Table" }).click();
    const rows = async (title: string) =>
      (await page.locator("figure.square", { hasText: title }).locator("tbody tr").allInnerTexts()).map((text) =>
        text.split("\t"),
      );
    await selects(page).nth(0).selectOption({ label: "1" });
    await expect
      .poll(async () => (await rows("Chosen together in layer 1"))[1]?.slice(1))
      .toEqual(["e1", "10 %", "–", "30 %", "40 %"]);
    expect((await rows("Router probability in layer 1"))[3]?.slice(1, 4)).toEqual(["e3", "50 %", "0 %"]);
  });

  it("shows how early each layer routed as it does at last", async () => {
    const { page } = await openRouting([known({ probes: 5 })]);
    await page.getByRole("button", { name: "Table" }).click();
    const figure = page.locator("figure.saturation");
    const row = async () => (await figure.locator("tbody tr").first().innerText()).split("\t").slice(1);
    await expect.poll(row).toEqual(["0", "0 %", "25 %", "50 %", "75 %", "100 %"]);
    expect(await figure.locator("thead").innerText()).toMatch(/0\s+10\s+20\s+30\s+40\s*$/);
    await selects(page).nth(1).selectOption({ label: "d2" });
    await expect.poll(row).toEqual(["0", ...Array(5).fill("25 %")]);
    expect(await figure.locator("figcaption").innerText()).toContain("Saturation over training, d2");
  });

  it("opens the page of the expert in a layer that is chosen", async () => {
    const { page } = await openRouting([known()]);
    await page.locator(".maps .map-box").first().focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/expert");
    expect(JSON.parse(await page.evaluate("sessionStorage.getItem('btx-studio-open')"))).toEqual({
      page: "expert",
      start: {
        runs: [{ root, run: "20260304-123000" }],
        model: { root, key: "aaaaaaaaaaaaaaaa" },
        expert: "e1",
        layer: 0,
      },
    });
  });

  it("can be read and used by keyboard alone", async () => {
    const { page, problems } = await openKnown();
    // Before the page itself hears of it, and opens another one.
    await page.evaluate(`window.chosen = []; document.addEventListener("expert-chosen", (event) => {
      const { name, expert, layer, model } = event.detail;
      chosen.push([name, expert, layer, model.key]);
      event.stopPropagation();
    }, true)`);
    await page.locator("body").focus();
    for (let stop = 0; stop < 30; stop++) {
      await press(page, "Tab");
      if (await page.evaluate("document.activeElement.matches('.map-box')")) break;
    }
    const read = () =>
      page.evaluate(`(() => {
        const grid = document.activeElement;
        const cell = document.getElementById(grid.getAttribute("aria-activedescendant"));
        return [grid.getAttribute("role"), grid.getAttribute("aria-rowcount"), cell && cell.getAttribute("aria-label")];
      })()`);
    await expect
      .poll(read)
      .toEqual(["grid", "3", "layer 0, expert e0, all domains: routed share 25 %, 1 times uniform"]);
    await press(page, "PageDown", "PageDown", "ArrowDown", "ArrowRight");
    await expect.poll(read).toEqual(["grid", "3", "layer 1, expert e1, d1: routed share 100 %, 4 times uniform"]);
    // What is read is seen, too, and one stop of Tab leads to the maps.
    expect(await page.locator(".map-value:visible").textContent()).toContain("expert e1, d1: routed share 100 %");
    expect(await page.locator(".maps .map-box[tabindex='0']").count()).toBe(1);
    await press(page, "End");
    await expect.poll(read).toEqual(["grid", "3", "layer 1, expert e3, d1: routed share 0 %, 0 times uniform"]);
    await press(page, "Enter");
    expect(await page.evaluate("chosen")).toEqual([["e3", 3, 1, "aaaaaaaaaaaaaaaa"]]);
    await page.locator(".flow-box").focus();
    await press(page, "ArrowDown", "ArrowRight");
    const said = page.locator("flow-picture [role=status]");
    await expect.poll(() => said.textContent()).toBe("Layer 1, expert e1: 25 % of the tokens, then e1 100 %");
    await page.locator(".load-box").focus();
    await press(page, "Home");
    await expect
      .poll(async () => (await page.locator("load-area [role=status]").textContent())!.trim())
      .toBe("Step 10: e0 25 %, e1 25 %, e2 25 %, e3 25 %");
    const snapshot = await page.locator("body").ariaSnapshot();
    const unnamed = snapshot
      .split("\n")
      .filter((line) =>
        /^\s*- (button|checkbox|radio|slider|combobox|application|grid|gridcell)\s*(\[|:|$)/.test(line),
      );
    expect(unnamed).toEqual([]);
    expect(problems).toEqual([]);
  });

  /** Goes from all alike to domain i at expert i. */
  const learning = (given: Parameters<typeof known>[0] = {}) =>
    known({
      value: (_measure, snapshot, domain, _layer, expert) =>
        snapshot < 0 || domain === 4 ? 0.25 : domain === expert ? 0.25 + snapshot * 0.1 : (0.75 - snapshot * 0.1) / 3,
      ...given,
    });
  const first = async (page: Page) => (await rowsOf(page, "maps"))[3]![2];

  it("goes through the steps by a slider, plays them, and stays at the end while more come", async () => {
    const { page, tell } = await openKnown([learning({ state: "running" })]);
    await page.getByRole("button", { name: "Table" }).click();
    const slider = page.getByRole("slider", { name: "Step" });
    await expect.poll(() => first(page)).toBe("65 %");
    expect(await slider.getAttribute("aria-valuetext")).toBe("step 50 of 50, live");
    tell([learning({ state: "running", snapshots: 6 })]);
    await expect.poll(() => first(page)).toBe("75 %");
    await slider.focus();
    await press(page, "Home");
    await expect.poll(() => first(page)).toBe("25 %");
    await press(page, "ArrowRight");
    await expect.poll(() => first(page)).toBe("35 %");
    // Here what comes changes nothing.
    tell([learning({ state: "running", snapshots: 7 })]);
    await page.waitForFunction("document.querySelector('input.steps').max === '6'");
    expect(await first(page)).toBe("35 %");
    await page.getByRole("button", { name: "Play" }).click();
    await expect.poll(() => first(page), { timeout: 10_000 }).toBe("85 %");
    await page.getByRole("button", { name: "Play" }).waitFor();
    await page.getByRole("button", { name: "Held-out text" }).click();
    await expect.poll(() => first(page)).toBe("25 %");
  });

  it("subtracts another snapshot or another model, or shows it beside", async () => {
    const other = learning({ key: "bbbbbbbbbbbbbbbb", name: "upcycling", every: 25, snapshots: 2 });
    const { page, problems } = await openKnown([learning(), other]);
    await page.getByRole("button", { name: "Table" }).click();
    const compare = async (text: string) => {
      await page.getByRole("combobox", { name: "Compare with" }).click();
      await page.getByRole("option", { name: text }).click();
    };
    await compare("another snapshot");
    await expect.poll(() => first(page)).toBe("+40 points");
    expect(await page.locator("h2").textContent()).toBe("Routed share, step 50 minus step 10");
    const colors = await pixelsOf(page, 1, 3, 4);
    const ramp = rampColors("diverging", false);
    expect(colors[0]![0]).toBe(shadeColor(ramp, shadeAt(0.5 + Math.fround(Math.fround(0.65) - Math.fround(0.25)))));
    expect((await pixelsOf(page, 0, 3, 4))[0]![0]).toBe(shadeColor(ramp, shadeAt(0.5)));
    // Another model, at the same step: its second snapshot.
    await compare("upcycling");
    await expect.poll(() => first(page)).toBe("+30 points");
    await page.getByRole("radio", { name: "Side by side" }).click();
    await expect.poll(() => page.locator(".maps heat-map").count()).toBe(10);
    expect((await page.locator("figcaption").allTextContents()).slice(2, 4)).toEqual([
      "d0, finetune, step 50",
      "d0, upcycling, step 50",
    ]);
    expect(problems).toEqual([]);
  });

  it("finds everything as it was left when the page is loaded again", async () => {
    const { page } = await openKnown([learning()]);
    await page.getByRole("button", { name: "Table" }).click();
    await page.getByRole("radio", { name: "Clustered" }).click();
    await page.getByRole("slider", { name: "Step" }).focus();
    await press(page, "Home", "ArrowRight");
    await page.locator("select").first().selectOption("2");
    await page.locator("select").nth(1).selectOption("d1");
    await expect.poll(() => first(page)).toBe("35 %");
    const look = async () => ({
      rows: await rowsOf(page, "maps"),
      load: await page.locator("table.load caption").textContent(),
      order: await page.getByRole("radio", { name: "Clustered" }).getAttribute("aria-checked"),
    });
    await page.locator("table.load").waitFor();
    const before = await look();
    expect(before).toMatchObject({ order: "true" });
    expect(before.load).toContain("layer 2");
    await page.waitForTimeout(300);
    await page.reload();
    await page.locator("table.load").waitFor();
    await expect.poll(look).toEqual(before);
  });

  it("keeps maps as a picture, as an image and as values", async () => {
    const { page } = await openKnown();
    const save = async (kind: string) => {
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: `Export ${kind}` }).click(),
      ]);
      return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
    };
    const csv = await save("CSV");
    expect(csv.name).toBe("known-routing.csv");
    const lines = csv.bytes.toString("utf8").trimEnd().split("\r\n");
    expect(lines[0]).toBe("run,stage,text,step,domain,layer,expert,routedShare");
    expect(lines).toHaveLength(1 + 5 * 3 * 4);
    expect(lines).toContain("20260304-123000,finetune,training,50,d2,1,e2,1");
    expect(lines).toContain("20260304-123000,finetune,training,50,d2,1,e1,0");

    const svg = (await save("SVG")).bytes.toString("utf8");
    for (const text of ["known: routing", "Routed share, step 50", "uniform 25 %", ">d3<"]) expect(svg).toContain(text);
    // Of each domain's map, the three cells of its expert have the darkest colour.
    const darkest = [...svg.matchAll(new RegExp(`<path fill="${colorAt(1)}" d="([^"]+)"`, "g"))].map(
      ([, path]) => path,
    );
    expect(darkest.slice(0, 4)).toEqual(
      [0, 1, 2, 3].map((expert) => [0, 1, 2].map((row) => `M${expert} ${row}h1v1h-1z`).join("")),
    );
    expect(
      await page.evaluate(
        `new DOMParser().parseFromString(${JSON.stringify(svg)}, "image/svg+xml").querySelectorAll("parsererror").length`,
      ),
    ).toBe(0);

    const png = (await save("PNG")).bytes;
    const counts = (await page.evaluate(`(async () => {
      const bytes = Uint8Array.from(atob("${png.toString("base64")}"), (c) => c.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const canvas = new OffscreenCanvas(image.width, image.height);
      canvas.getContext("2d").drawImage(image, 0, 0);
      const { data } = canvas.getContext("2d").getImageData(0, 0, image.width, image.height);
      const found = {};
      for (let at = 0; at < data.length; at += 4) {
        const name = "#" + [0, 1, 2].map((one) => data[at + one].toString(16).padStart(2, "0")).join("");
        found[name] = (found[name] ?? 0) + 1;
      }
      return found;
    })()`)) as Record<string, number>;
    // Twelve cells at the top, thirty-six at zero, twelve uniform ones, less what their numbers cover.
    const ratio = (a: number, b: number) => counts[colorAt(a)]! / counts[colorAt(b)]!;
    expect(ratio(0, 1)).toBeGreaterThan(2.7);
    expect(ratio(0, 1)).toBeLessThan(3.6);
    expect(ratio(1, anchor)).toBeGreaterThan(0.8);
    expect(ratio(1, anchor)).toBeLessThan(1.2);
  });

  it("asks for nothing while it is not seen", async () => {
    const { page, asked, tell } = await openKnown([learning({ state: "running" })]);
    const hide = (state: string) =>
      page.evaluate(`Object.defineProperty(document, "visibilityState", { configurable: true, get: () => "${state}" });
        document.dispatchEvent(new Event("visibilitychange"))`);
    await hide("hidden");
    await expect.poll(() => asked.at(-1)?.type).toBe("cancel");
    const before = asked.length;
    await page.waitForTimeout(400);
    expect(asked.length).toBe(before);
    await hide("visible");
    tell([learning({ state: "running", snapshots: 6 })]);
    await expect.poll(() => asked.slice(before).map(({ type }) => type)).toContain("openRouting");
  });
});
