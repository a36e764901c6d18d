import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { decodeFrame } from "../../../server/protocol/frame.ts";
import type { PageMessage } from "../../../server/protocol/stream.ts";
import { exact } from "../../../webview/components/format.ts";
import { writeRun } from "../../fixtures/runFolder.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { origin, Page as StreamPage } from "../stream/support.ts";
import { noBrowser, openPage, why } from "./support.ts";

const nats = (value: number) => `${exact(value)} nats`;

async function openRun(options: Parameters<typeof openPage>[2] = {}, run: Parameters<typeof writeRun>[1] = {}) {
  const written = writeRun(temporaryFolder(), { steps: 200, ...run });
  const opened = await openPage([written.root], { runs: [{ root: written.root, run: written.run }] }, options);
  await opened.row("seed").getByText("nats").first().waitFor();
  const values = (stage: string) => written.fixture.metrics.get(stage)!.map(({ loss }) => loss);
  return { ...written, ...opened, values };
}

/** Watches the stream from now on. @returns whether the last view that the page asked for has been answered. */
async function watchViews(page: Page): Promise<() => boolean> {
  let [asked, answered] = [-1, -1];
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  session.on("Network.webSocketFrameSent", ({ response }) => {
    const message = JSON.parse(response.payloadData) as PageMessage;
    if (message.type === "view") asked = message.id;
  });
  session.on("Network.webSocketFrameReceived", ({ response }) => {
    if (response.opcode === 2)
      answered = decodeFrame(Uint8Array.from(Buffer.from(response.payloadData, "base64")).buffer).id;
  });
  return () => asked >= 0 && answered === asked;
}

describe.skipIf(noBrowser)(`a user of the metrics page${why}`, () => {
  it("can do everything with the keyboard, and hears what a chart shows", async () => {
    const { page, values, row, problems } = await openRun();
    const said = page.locator("line-chart [role=status]");
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    // Tab alone reaches the chart; the slider is one of the stops.
    await page.locator("body").focus();
    for (let stop = 0; stop < 30; stop++) {
      await press("Tab");
      if (await page.evaluate("document.activeElement.matches('input[type=range]')")) await press("Home");
      if (await page.evaluate("document.activeElement.matches('.chart-box')")) break;
    }
    await press("Home");
    await expect.poll(() => said.textContent()).toBe(`seed: ${nats(values("seed")[0]!)} at step 1`);
    await press("ArrowRight", "ArrowRight");
    await expect.poll(() => said.textContent()).toBe(`seed: ${nats(values("seed")[2]!)} at step 3`);
    await press("ArrowDown", "End");
    await expect.poll(() => said.textContent()).toBe(`expert code: ${nats(values("expert:code").at(-1)!)} at step 300`);
    // The table also has the value that is read aloud.
    expect(await row("expert code").textContent()).toContain(`${nats(values("expert:code").at(-1)!)}`);
    await press("ArrowUp", "ArrowUp");
    await expect.poll(() => said.textContent()).toContain("upcycling");
    await press("ArrowDown", "Home", "Shift+PageDown");
    await page.locator("table.legend caption strong", { hasText: "step 1 to step" }).waitFor();
    await press("Enter");
    await page.getByRole("button", { name: "Table" }).focus();
    await press("Enter");
    const last = page.locator("table.values tbody th").last();
    await expect.poll(async () => Number((await last.textContent())!.replaceAll(/\D/g, ""))).toBeLessThan(70);
    await page.locator(".chart-box").focus();
    await press("-");
    await expect.poll(async () => Number((await last.textContent())!.replaceAll(/\D/g, ""))).toBeGreaterThan(70);
    await press("0");
    await expect.poll(() => last.textContent()).toContain("step 600");
    await press("Escape");
    await page.locator("table.legend caption strong").waitFor({ state: "detached" });
    // The modes are one stop, with arrow keys between them; a key hides stages.
    await page.getByRole("radio", { name: "Zoom" }).focus();
    await press("ArrowRight");
    expect(await page.evaluate("document.activeElement.textContent.trim()")).toBe("Move");
    await page.getByRole("checkbox", { name: "finetune" }).focus();
    await press("Space");
    await expect.poll(() => page.locator(".chart-box").getAttribute("aria-label")).toContain("6 lines");
    expect(problems).toEqual([]);
  });

  it("finds a name on every control", async () => {
    const { page } = await openRun();
    await page.getByRole("button", { name: "Runs…" }).click();
    await page.getByRole("checkbox", { name: "three-domains" }).waitFor();
    const snapshot = await page.locator("body").ariaSnapshot();
    const unnamed = snapshot
      .split("\n")
      .filter((line) => /^\s*- (button|checkbox|radio|slider|combobox|application|textbox)\s*(\[|:|$)/.test(line));
    expect(unnamed).toEqual([]);
    expect(snapshot).toMatch(/application "training loss, nats per token over optimizer steps/);
  });

  it("sees new values as they are written, and all of them after the page was hidden", async () => {
    const { page, row, append, hub, root, run, keyOf } = await openRun();
    const last = row("finetune").locator("td").nth(1);
    append("finetune", [{ step: 101, loss: 1.25 }]);
    await expect.poll(() => last.textContent(), { timeout: 10_000 }).toBe("1.25 nats");
    // A hidden page requests nothing.
    const hide = (state: string) =>
      page.evaluate(`Object.defineProperty(document, "visibilityState", { configurable: true, get: () => "${state}" });
        document.dispatchEvent(new Event("visibilitychange"))`);
    let frames = 0;
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    session.on("Network.webSocketFrameReceived", () => {
      frames++;
    });
    let cancelled = 0;
    session.on("Network.webSocketFrameSent", ({ response }) => {
      if (response.payloadData.includes("cancel")) cancelled++;
    });
    await hide("hidden");
    await expect.poll(() => cancelled).toBeGreaterThan(0);
    const before = frames;
    append("finetune", [{ step: 102, loss: 1.125 }]);
    // A second, visible page has received the change, and this one has not.
    const other = new StreamPage(hub.ticket(origin));
    await other.opened();
    await other.see(root, run, keyOf("finetune"), 1.125);
    expect(frames).toBe(before);
    await hide("visible");
    await expect.poll(() => last.textContent()).toBe("1.125 nats");
    expect(frames).toBeGreaterThan(before);
  });

  it("finds the same state after a reload", async () => {
    const { page, row } = await openRun();
    const answered = await watchViews(page);
    await page.getByRole("button", { name: "Gradient norm" }).click();
    await page.getByText("Log scale").click();
    await page.getByRole("checkbox", { name: "dense" }).uncheck();
    await page.getByRole("slider", { name: "Smoothing" }).focus();
    await page.keyboard.press("End");
    await page.locator(".chart-box").first().focus();
    await page.keyboard.press("+");
    await page.getByRole("button", { name: "Table" }).click();
    await expect
      .poll(async () => (await page.locator("table.values tbody th").last().textContent())!.trim())
      .not.toBe("step 600");
    const look = async () => ({
      seen: await page.locator("table.values").first().textContent(),
      charts: await page.locator("line-chart").count(),
      log: await page.getByRole("checkbox", { name: "Log scale" }).isChecked(),
      smoothing: await page.getByRole("slider").getAttribute("aria-valuetext"),
      dense: await page.getByRole("checkbox", { name: "dense" }).isChecked(),
    });
    await expect.poll(answered).toBe(true);
    const before = await look();
    expect(before).toMatchObject({ charts: 2, log: true, smoothing: "mean of 100,001 steps", dense: false });
    await page.reload();
    await row("seed").getByText("nats").first().waitFor();
    await expect.poll(look).toEqual(before);
    // The token is not in the address that bookmarks or the history would keep.
    expect(page.url()).not.toContain("token");
  });

  it("can continue after the backend was restarted", async () => {
    const { page, row, append, restart } = await openRun();
    await restart();
    append("seed", [{ step: 201, loss: 0.5 }]);
    await expect.poll(() => row("seed").locator("td").nth(1).textContent(), { timeout: 20_000 }).toBe("0.5 nats");
    await expect.poll(() => page.locator(".trouble").count()).toBe(0);
  });

  it("can save charts as PNG, SVG and CSV", async () => {
    const { page, values, run } = await openRun();
    const save = async (kind: string) => {
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: `Export ${kind}` }).click(),
      ]);
      return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
    };
    const csv = await save("CSV");
    const [head, ...rows] = csv.bytes
      .toString("utf8")
      .trimEnd()
      .split("\r\n")
      .map((row) => row.split(","));
    expect(csv.name).toBe("three-domains-metrics.csv");
    expect(head!.slice(0, 3)).toEqual(["run", "stage", "step"]);
    const of = (stage: string) =>
      rows.filter((row) => row[1] === stage).map((row) => Number(row[head!.indexOf("loss_nats_per_token")]));
    expect(new Set(rows.map(([id]) => id))).toEqual(new Set([run]));
    for (const stage of ["seed", "expert:math", "upcycling"]) expect(of(stage)).toEqual(values(stage));

    const svg = await save("SVG");
    const text = svg.bytes.toString("utf8");
    expect(text.startsWith("<svg xmlns=")).toBe(true);
    for (const said of ["training loss, nats per token", "optimizer steps", "expert math", "three-domains: metrics"])
      expect(text).toContain(said);
    const parsed = await page.evaluate(`(() => {
      const image = new DOMParser().parseFromString(${JSON.stringify(text)}, "image/svg+xml");
      return { errors: image.querySelectorAll("parsererror").length, paths: image.querySelectorAll("path[clip-path]").length };
    })()`);
    // Seven lines as recorded and seven smoothed ones.
    expect(parsed).toEqual({ errors: 0, paths: 14 });

    const png = await save("PNG");
    expect(png.name).toBe("three-domains-metrics.png");
    expect(png.bytes.subarray(1, 4).toString()).toBe("PNG");
    const image = await page.evaluate(`(async () => {
      const bytes = Uint8Array.from(atob("${png.bytes.toString("base64")}"), (c) => c.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const canvas = new OffscreenCanvas(image.width, image.height);
      canvas.getContext("2d").drawImage(image, 0, 0);
      const { data } = canvas.getContext("2d").getImageData(0, 0, image.width, image.height);
      const colors = new Set();
      for (let at = 0; at < data.length; at += 4) colors.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
      return { width: image.width, colors: colors.size, opaque: data[3] };
    })()`);
    expect((image as { width: number }).width).toBeGreaterThan(1500);
    expect((image as { colors: number }).colors).toBeGreaterThan(50);
    expect((image as { opaque: number }).opaque).toBe(255);
  });

  it("can choose among all runs, and compare several on one axis", async () => {
    const folder = temporaryFolder();
    const first = writeRun(folder, { steps: 100 });
    writeRun(folder, { steps: 100, id: "20260305-080000", name: "another" });
    const { page, row, problems } = await openPage([first.root], { runs: [] });
    const boxes = page.locator("section.runs").getByRole("checkbox");
    await expect.poll(() => boxes.count()).toBe(2);
    await page.getByRole("checkbox", { name: "three-domains" }).click();
    await row("seed").getByText("nats").first().waitFor();
    // The list stays open until the user is done.
    await page.getByRole("checkbox", { name: "another" }).check();
    // The fixture's runs share all stages: they are drawn once.
    await page.getByText("7 of its stages are shared with a run above").waitFor();
    await expect.poll(() => page.locator(".chart-box").getAttribute("aria-label")).toContain("7 lines");
    await page.getByRole("button", { name: "Done" }).click();
    await expect.poll(() => page.title()).toBe("three-domains, another: metrics");
    await page.getByRole("button", { name: "Remove run three-domains" }).click();
    await expect.poll(() => page.title()).toBe("another: metrics");
    expect(problems).toEqual([]);
  });

  it("sees a message if the address is not the one that was printed", async () => {
    const { root } = writeRun(temporaryFolder());
    const { page, hub } = await openPage([root], { runs: [] });
    const other = await page.context().newPage();
    await other.goto(`http://127.0.0.1:${hub.port}/?token=wrong`);
    await other.getByText("open the address that it printed").waitFor();
    for (const [path, method, headers] of [
      ["/start", "POST", {}],
      ["/ticket", "POST", { authorization: "Bearer wrong" }],
    ] as const)
      expect((await fetch(`http://127.0.0.1:${hub.port}${path}`, { method, headers })).status).toBe(403);
    for (const path of ["/../package.json", "/%2e%2e/package.json", "/metrics.js.map", "/start"])
      expect((await fetch(`http://127.0.0.1:${hub.port}${path}`)).status).toBe(404);
  });
});
