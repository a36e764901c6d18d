import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeFrame } from "../../../../server/protocol/frame.ts";
import { drawLines, maxPoints } from "../../../../server/stream/reader/lines.ts";
import { MetricsFile } from "../../../../server/stream/reader/metricsFile.ts";
import { temporaryFolder } from "../../runs/folder.ts";

describe("a frame of lines", () => {
  it("of more lines than fit has fewer points of each, and is never larger than the bound", async () => {
    const path = join(temporaryFolder(), "metrics.jsonl");
    const steps = 40_000;
    const line = (step: number) => `{"step":${step},"loss":${Math.sin(step)},"gradientNorm":${Math.cos(step)}}\n`;
    writeFileSync(path, Array.from({ length: steps }, (_, index) => line(index + 1)).join(""));
    const file = new MetricsFile(path);
    await file.read(Number.POSITIVE_INFINITY);
    const source = { root: "/r", key: "k", path, begins: { step: 0, tokens: 0, seconds: 0, flops: 0 } };
    const view = { id: 1, axis: "step", measures: ["loss", "gradientNorm"], columns: 16_384, smoothing: 11 } as const;
    const draw = async (files: number) => {
      const opened = Array.from({ length: files }, () => ({ source, file }));
      return drawLines(opened, [1, steps], { ...view, measures: [...view.measures] }, true);
    };
    const pointsOf = (buffer: ArrayBuffer): number => {
      const frame = decodeFrame(buffer);
      return frame.kind === "points" ? frame.lines.reduce((sum, { raw, smooth }) => sum + raw + smooth, 0) : 0;
    };
    // Two lines have all they ask for: two points of each pixel column, and one of the smoothed line.
    expect(pointsOf(await draw(1))).toBeGreaterThan(2 * 2 * 16_384);
    const many = await draw(300);
    // And the points on either side of the range.
    expect(pointsOf(many)).toBeLessThanOrEqual(maxPoints + 3 * 600);
    expect(pointsOf(many)).toBeGreaterThan(maxPoints / 2);
    expect(many.byteLength).toBeLessThan(16 * maxPoints + 1e6);
  });
});
