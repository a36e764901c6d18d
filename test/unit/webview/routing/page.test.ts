import { describe, expect, it } from "vitest";
import { noBrowser, why } from "../support.ts";
import { first, known, learning, openKnown, openRouting, press, root, rowsOf } from "./support.ts";

describe.skipIf(noBrowser)(`the routing page in a browser${why}`, () => {
  it("opens the page of the chosen expert and layer", async () => {
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

  it("can be read and used with the keyboard alone", async () => {
    const { page, problems } = await openKnown();
    // Listens before the page itself does and opens another page.
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
    // The value that is read aloud is also visible, and the maps are a single Tab stop.
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

  it("keeps its state when it is reloaded", async () => {
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
    // The last choice is saved a little later.
    const kept = () => page.evaluate("localStorage.getItem('btx-studio/')");
    await expect.poll(kept).toContain('"domain":1');
    await page.reload();
    await page.locator("table.load").waitFor();
    await expect.poll(look).toEqual(before);
  });

  it("requests nothing while it is hidden", async () => {
    const { page, asked, tell } = await openKnown([learning({ state: "running" })]);
    const hide = (state: string) =>
      page.evaluate(`Object.defineProperty(document, "visibilityState", { configurable: true, get: () => "${state}" });
        document.dispatchEvent(new Event("visibilitychange"))`);
    await hide("hidden");
    const cancelled = () => asked.filter(({ type }) => type === "cancel").map(({ id }) => id);
    const subscribed = asked.filter(({ type }) => type === "open" || type === "openRouting").map(({ id }) => id);
    await expect.poll(cancelled).toEqual(subscribed);
    const before = asked.length;
    // A message that arrives anyway changes nothing and causes no request.
    tell([learning({ state: "running", snapshots: 6 })]);
    await hide("visible");
    await expect.poll(() => asked.length).toBeGreaterThan(before + 1);
    expect(asked.slice(before, before + 2).map(({ type }) => type)).toEqual(["open", "openRouting"]);
    await expect.poll(() => page.getByRole("slider", { name: "Step" }).getAttribute("max")).toBe("5");
  });

  it("shows everything up to date again after the connection was lost", async () => {
    const { page, drop, tell, asked } = await openKnown([learning()]);
    await page.getByRole("button", { name: "Table" }).click();
    await expect.poll(() => first(page)).toBe("65 %");
    const before = asked.length;
    drop();
    await expect.poll(() => asked.slice(before).map(({ type }) => type)).toContain("openRouting");
    tell([learning({ snapshots: 6 })]);
    await expect.poll(() => first(page)).toBe("75 %");
    await expect.poll(() => page.locator(".trouble").count()).toBe(0);
  });

  it("shows why one picture is not available, and the other pictures", async () => {
    const { page } = await openKnown([known({ k: 2 })], {}, ({ type, id }, send) => {
      if (type !== "routingHistogram") return false;
      send(JSON.stringify({ type: "problem", id, text: "finetune has no histograms of that layer" }));
      return true;
    });
    await page.getByText("finetune has no histograms of that layer").waitFor();
    await page.getByText("Chosen together in layer 0").waitFor();
    await page.locator("table.layers").waitFor();
    expect(await page.getByText("Router probability in layer 0").count()).toBe(0);
  });
});
