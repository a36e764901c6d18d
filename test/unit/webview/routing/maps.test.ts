import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { cellMeasures, otherMeasures } from "../../../../server/protocol/measures.ts";
import { anchor } from "../../../../webview/components/colorScale.ts";
import { noBrowser, why } from "../support.ts";
import { colorAt, known, openKnown, openRouting, pixelsOf, root, rowsOf, selects } from "./support.ts";

describe.skipIf(noBrowser)(`the routing page in a browser${why}`, () => {
  it("shows a routing of domain i to expert i exactly, in its table and in the pixels of its maps", async () => {
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
    // Row by row, as in a table.
    const tops = await page
      .locator("table.maps tr")
      .evaluateAll((all) => all.map((row) => row.getBoundingClientRect().top));
    expect(tops).toEqual([...new Set(tops)].sort((a, b) => a - b));
    // All domains together are uniform, which has its own colour.
    expect(await pixelsOf(page, 0, 3, 4)).toEqual(Array.from({ length: 3 }, () => Array(4).fill(colorAt(anchor))));
    for (const domain of [0, 1, 2, 3]) {
      const row = [0, 1, 2, 3].map((expert) => colorAt(expert === domain ? 1 : 0));
      expect(await pixelsOf(page, 1 + domain, 3, 4)).toEqual([row, row, row]);
    }
    expect(await page.locator(".scale").textContent()).toMatch(/uniform 25 %[\s\S]*lowest 0 %, highest 100 %/);
    expect(await page.getByRole("list", { name: "Balance" }).textContent()).toContain("No expert is dead");
    expect(await rowsOf(page, "flow")).toEqual([0, 1, 2, 3].map((expert) => [`e${expert}`, `e${expert} 100 %`]));
    expect(await rowsOf(page, "load")).toEqual([1, 2, 3, 4, 5].map((at) => [`${at}0`, "25 %", "25 %", "25 %", "25 %"]));
    expect(problems).toEqual([]);
  });

  it("reverses the colours on a dark page, with the uniform value at the same place", async () => {
    const { page } = await openKnown([known()], { colorScheme: "dark" });
    expect((await pixelsOf(page, 0, 3, 4))[0]![0]).toBe(colorAt(anchor, true));
    expect((await pixelsOf(page, 2, 3, 4))[0]).toEqual([0, 1, 0, 0].map((value) => colorAt(value, true)));
  });

  it("redraws a map outside the viewport when it is scrolled into view", async () => {
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

  it("works in light, dark and forced colours, narrow and wide: nothing is blocked or cut off", async () => {
    for (const look of [{ colorScheme: "light" }, { colorScheme: "dark" }, { forcedColors: "active" }] as const) {
      const { page, problems } = await openKnown([known()], look);
      for (const width of [420, 1200]) {
        await page.setViewportSize({ width, height: 900 });
        await expect
          .poll(() => page.evaluate("document.querySelector('heat-map canvas').clientWidth"))
          .toBeLessThan(width);
        await expect.poll(() => page.evaluate("document.documentElement.scrollWidth")).toBe(width);
      }
      expect(await page.title()).toBe("known: routing");
      expect(problems).toEqual([]);
    }
  });

  it("names dead and dominating experts and their layers", async () => {
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

  it("shows the entropy and balance of each layer, and its saturation on request", async () => {
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

  it("shows which experts a layer chooses together and how sure its router is if k is 2", async () => {
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

  it("shows how early each layer reached its final routing", async () => {
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

  it("names a layer with two routers twice, by block", async () => {
    const { page } = await openKnown([known({ layers: [0, 1, 1], kinds: ["ffn", "attention", "ffn"] })]);
    await page.getByRole("button", { name: "Table" }).click();
    await expect
      .poll(async () => (await rowsOf(page, "maps")).slice(0, 3).map((row) => row[1]))
      .toEqual(["0", "1 attention", "1"]);
  });

  it("explains how every measure is computed", async () => {
    const { page } = await openKnown();
    await page.getByText("Measures", { exact: true }).click();
    const help = page.locator("details.measures");
    for (const { label, formula, meaning } of [...Object.values(cellMeasures), ...Object.values(otherMeasures)]) {
      const said = help.locator("dl div").filter({ has: page.locator("dt", { hasText: new RegExp(`^${label}$`) }) });
      expect(await said.locator("dd").innerText()).toContain(meaning);
      expect(await said.locator("code").innerText()).toBe(formula.replaceAll(/_(?=\w)/g, ""));
    }
  });

  it("saves maps as PNG, SVG and CSV", async () => {
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
});
