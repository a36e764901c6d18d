import { describe, expect, it } from "vitest";
import { rampColors, shadeAt, shadeColor } from "../../../../webview/components/colorScale.ts";
import { noBrowser, why } from "../support.ts";
import { first, known, learning, openKnown, pixelsOf, press, rowsOf } from "./support.ts";

describe.skipIf(noBrowser)(`the steps of the routing page in a browser${why}`, () => {
  it("shows measures of held-out text on held-out text only, and no measure that a model lacks", async () => {
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

  it("shows measures of held-out text at the last probe at or before a step, and names that probe", async () => {
    const cells = ["routedShare", "vocabularyInput"] as const;
    /** The value of a probe identifies it. */
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
    // The last probe is missing: its step shows the probe before it.
    await page.getByRole("button", { name: "Held-out text" }).click();
    tell([{ ...probed, state: "running", probed: { probes: 4, every: 15 } }]);
    await expect.poll(title).toBe("Vocabulary, input, held-out tokens at step 45");
    await expect.poll(value).toBe("30 %");
    tell([probed]);
    await expect.poll(title).toBe("Vocabulary, input, held-out tokens at step 50");
    await expect.poll(value).toBe("40 %");
    // Each probe is requested once, even if several snapshots show it.
    const questions = asked.flatMap((one) =>
      one.type === "routing" && one.measure === "vocabularyInput" ? one.snapshots : [],
    );
    expect(questions.toSorted()).toEqual([-1, 0, 1, 2, 3, 4]);
    expect(problems).toEqual([]);
  });

  it("subtracts one probe from another", async () => {
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
    // A model without this measure.
    await page.getByRole("combobox", { name: "Compare with" }).click();
    await page.getByRole("option", { name: "upcycling" }).click();
    await expect.poll(async () => (await rowsOf(page, "maps"))[0]![2]).toBe("50 %");
  });

  it("steps through snapshots with a slider, plays them, and stays at the end while more arrive", async () => {
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
    // New snapshots change nothing here.
    tell([learning({ state: "running", snapshots: 7 })]);
    await expect.poll(() => slider.getAttribute("max")).toBe("6");
    expect(await first(page)).toBe("35 %");
    await page.getByRole("button", { name: "Play" }).click();
    await expect.poll(() => first(page), { timeout: 10_000 }).toBe("85 %");
    await page.getByRole("button", { name: "Play" }).waitFor();
    await page.getByRole("button", { name: "Held-out text" }).click();
    await expect.poll(() => first(page)).toBe("25 %");
  });

  it("subtracts another snapshot or model, or shows it side by side", async () => {
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
});
