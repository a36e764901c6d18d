import { describe, expect, it } from "vitest";
import type { View } from "../../../server/protocol/stream.ts";
import { stagePaths } from "../../../server/runs/layout.ts";
import { rows, spike, writeLongMetrics } from "../../fixtures/longMetrics.ts";
import { writeRun } from "../../fixtures/runFolder.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { origin, Page, startHub } from "./support.ts";

describe("ten million points", () => {
  it("are drawn with their spikes, as a whole and in any part, from the cache that was made of them", async () => {
    const { root, run, keyOf } = writeRun(temporaryFolder());
    await writeLongMetrics(stagePaths(root, keyOf("seed")).metrics);
    const view: View = {
      type: "view",
      id: 2,
      series: [{ root, key: keyOf("seed") }],
      measures: ["loss"],
      axis: "step",
      fromZero: false,
      columns: 1500,
      smoothing: 1001,
    };
    const { hub } = await startHub();
    const page = new Page(hub.ticket(origin));
    await page.opened();
    page.send({ type: "open", id: 1, runs: [{ root, run }] });
    await page.next("opened");
    page.send(view);
    const whole = await page.until(() => page.points(2).find(({ lines }) => lines[0]?.to === rows));
    expect(whole.lines[0]!.x.length).toBeLessThanOrEqual(3000);
    expect(Math.max(...whole.lines[0]!.y)).toBe(50);
    expect(whole.lines[0]!.figures!.high).toEqual({ value: 50, step: spike });
    for (let part = 1; part <= 10; part++) {
      page.send({ ...view, id: 2 + part, range: [part * 700_000, part * 700_000 + 1_000_000] });
      await page.until(() => page.points(2 + part)[0]);
    }
    page.send({ ...view, id: 99, range: [spike - 50, spike + 50] });
    const near = await page.until(() => page.points(99)[0]);
    expect(near.lines[0]!.x).toHaveLength(103);
  });
});
