import { describe, expect, it } from "vitest";
import { placeLabels } from "../../../../server/report/runs/placeLabels.ts";
import { randomNumbers } from "../../../fixtures/run.ts";

const frame = { width: 900, height: 380 };
const WIDTH = 6.6;

/** What a label covers, as it is drawn: 14 pixels high, about 6.6 a letter. */
const boxes = (places: ReturnType<typeof placeLabels>, texts: string[]) =>
  places.map(({ x, y, end }, at) => {
    const width = texts[at]!.length * WIDTH;
    return { left: end ? x - width : x, right: end ? x : x + width, top: y - 7, bottom: y + 7 };
  });
const overlaps = (all: ReturnType<typeof boxes>) =>
  all.flatMap((a, i) =>
    all.slice(i + 1).filter((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom),
  );

describe("placeLabels", () => {
  it("puts a lone label right of its point, or left of it at the right edge", () => {
    expect(placeLabels([{ x: 100, y: 100 }], ["BTX"], frame)).toEqual([{ x: 109, y: 100, end: false, led: false }]);
    expect(placeLabels([{ x: 890, y: 100 }], ["BTX"], frame)).toEqual([{ x: 881, y: 100, end: true, led: false }]);
  });

  it("lets no label cover another one, leave the frame or lie on a point or its error bar, even of points in one place", () => {
    const random = randomNumbers(3);
    const spread = Array.from({ length: 20 }, () => ({ x: random() * 900, y: random() * 380, reach: random() * 20 }));
    const heap = Array.from({ length: 8 }, (_, at) => ({ x: 450, y: 190 + at, reach: 0 }));
    for (const points of [spread, heap]) {
      const texts = points.map((_, at) => `Model ${at} (router switch)`);
      const all = boxes(placeLabels(points, texts, frame), texts);
      expect(overlaps(all)).toEqual([]);
      for (const box of all) {
        expect(Math.min(box.left, box.top)).toBeGreaterThanOrEqual(0);
        expect(box.right).toBeLessThanOrEqual(900);
        expect(box.bottom).toBeLessThanOrEqual(380);
        for (const { x, y, reach } of points) {
          const over = box.left < x && x < box.right && box.top < y + reach && y - reach < box.bottom;
          expect(over).toBe(false);
        }
      }
    }
  });

  it("leads a line to a label that stands far from its point", () => {
    const heap = Array.from({ length: 8 }, () => ({ x: 450, y: 190 }));
    const places = placeLabels(
      heap,
      heap.map(() => "a name of some length"),
      frame,
    );
    for (const { y, led } of places) expect(led).toBe(Math.abs(y - 190) > 20);
    expect(places.some(({ led }) => led)).toBe(true);
  });
});
