import type { Routed } from "../../server/protocol/routed.ts";
import { csvBytes } from "../components/csv.ts";
import { expertFill } from "../components/experts.ts";
import { pngBytes } from "../components/saveFigure.ts";
import { theme } from "../components/theme.ts";
import { visibleText } from "../components/tokenText.ts";
import { firstExperts } from "./textCounts.ts";
import type { RoutedAnswer } from "./tokenSections.ts";

/** Experts and gates as CSV, one row per token and layer. */
export function csvOf({ text, routed, predicted }: RoutedAnswer): Uint8Array<ArrayBuffer> {
  const { layers, experts, k, tokens } = routed;
  const slots = Array.from({ length: k }, (_, slot) => slot);
  const head = ["token", "start", "end", "text", "surprise", "likeliest next", "layer"];
  const rows = tokens.flatMap(({ start, end, surprise, chosen, gates }, at) =>
    layers.map((layer, row) => [
      ...[
        at + 1,
        start,
        end,
        visibleText(text.slice(start, end)),
        surprise ?? "",
        visibleText(predicted[at] ?? ""),
        layer,
      ],
      ...slots.flatMap((slot) => [experts[chosen[row * k + slot] ?? -1]?.name ?? "", gates[row * k + slot] ?? 0]),
    ]),
  );
  return csvBytes([[...head, ...slots.flatMap((slot) => [`expert ${slot + 1}`, `gate ${slot + 1}`])], ...rows]);
}

/** Width and height of a cell, and maximum width of the picture, pixels. */
const [cell, tall, widest] = [8, 16, 16_000];

/** The whole grid as a PNG. */
export function pngOf(routed: Routed): Promise<Uint8Array<ArrayBuffer>> {
  const { layers, tokens, experts } = routed;
  const wide = Math.max(1, Math.min(cell, Math.floor(widest / tokens.length)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.min(widest, tokens.length * wide);
  canvas.height = layers.length * tall;
  const context = canvas.getContext("2d")!;
  context.fillStyle = theme().page;
  context.fillRect(0, 0, canvas.width, canvas.height);
  const first = firstExperts(routed);
  for (let layer = 0; layer < layers.length; layer++)
    for (let token = 0; token < tokens.length; token++) {
      const at = layer * tokens.length + token;
      if (first.experts[at]! < 0) continue;
      context.globalAlpha = 0.25 + 0.75 * Math.min(1, first.gates[at]!);
      context.fillStyle = expertFill(experts, first.experts[at]!);
      context.fillRect(token * wide, layer * tall, wide, tall);
    }
  return pngBytes(canvas);
}
