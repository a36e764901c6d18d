import { chartColors, colorId } from "../../server/protocol/colors.ts";
import type { RoutedExpert } from "../../server/protocol/inspect.ts";

/** How an expert's tokens look. Knows nothing of VS Code. */
export interface Look {
  /** One of `chartColors`. */
  color: string;
  /** Style of the frame. More experts than colours have the same colours again in other frames; "none" has no frame. */
  frame: "none" | "solid" | "dashed" | "dotted" | "double";
}

const frames = ["none", "dashed", "dotted", "double"] as const;
const ofExperts = chartColors.slice(2);

/** The colours of experts: those of the tree, else the next of six. No two of the first 24 look the same. */
export function looks(experts: readonly RoutedExpert[], highContrast: boolean): Look[] {
  const used = new Map<string, number>();
  return experts.map(({ color }, index) => {
    const own = color ?? ofExperts[index % ofExperts.length]!;
    const times = used.get(own) ?? 0;
    used.set(own, times + 1);
    const frame = frames[times % frames.length]!;
    // High contrast has no backgrounds, so every expert has a frame.
    return { color: own, frame: highContrast && frame === "none" ? "solid" : frame };
  });
}

/** The id of a colour behind text, in the manifest and in themes: "btx.routedSeed". It lets the text's own background through. */
export const backgroundId = (color: string): string => colorId(color).replace("chart", "routed");
