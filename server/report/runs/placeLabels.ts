/** Places labels beside points so that they cover neither each other nor a point. */

export interface Place {
  x: number;
  y: number;
}

/** A point, and how far its error bar reaches up and down. */
export interface Mark extends Place {
  reach?: number;
}

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface LabelPlace extends Place {
  /** Whether the text ends at `x` instead of beginning there. */
  end: boolean;
  /** Whether the label is so far from its point that a line must connect them. */
  led: boolean;
}

const HEIGHT = 14;
/** Distance from a point to its label, pixels. */
const OFF = 9;
/** Average width of a letter, pixels. */
const LETTER = 6.6;

const overlap = (a: Box, b: Box): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Candidate places for a label, the nearest first: right or left of the point, then higher and lower in steps. */
function* candidates({ x, y }: Place): Generator<LabelPlace> {
  for (let step = 0; step < 30; step++) {
    for (const side of step === 0 ? [0] : [-step, step]) {
      for (const end of [false, true])
        yield { x: end ? x - OFF : x + OFF, y: y + side * HEIGHT, end, led: Math.abs(side) > 1 };
    }
  }
}

function boxOf({ x, y, end }: LabelPlace, width: number): Box {
  return { left: end ? x - width : x, right: end ? x : x + width, top: y - HEIGHT / 2, bottom: y + HEIGHT / 2 };
}

/**
 * A place for each text beside its point, in pixels; y is the middle of the text. Greedy, in order.
 * @param frame that must contain all labels; a label that fits nowhere is placed right of its point
 */
export function placeLabels(
  points: readonly Mark[],
  texts: readonly string[],
  frame: { width: number; height: number },
): LabelPlace[] {
  const taken = points.map(({ x, y, reach = 0 }): Box => {
    const half = Math.max(6, reach);
    return { left: x - 6, right: x + 6, top: y - half, bottom: y + half };
  });
  return points.map((point, index) => {
    const width = (texts[index] ?? "").length * LETTER;
    for (const place of candidates(point)) {
      const box = boxOf(place, width);
      const inside = box.left >= 0 && box.right <= frame.width && box.top >= 0 && box.bottom <= frame.height;
      if (!inside || taken.some((other) => overlap(box, other))) continue;
      taken.push(box);
      return place;
    }
    return { x: point.x + OFF, y: point.y, end: false, led: false };
  });
}
