import { type ExtensionContext, MarkdownString, StatusBarAlignment, window } from "vscode";
import type { Routed, Shown } from "../../server/protocol/routed.ts";
import { layerName, legend, percent, spoken } from "./texts.ts";

/** Experts that the tooltip lists; the picker has them all. */
const listed = 12;

/** The status bar says by which model and layer the active text is coloured, and to whom its tokens go. A click picks a layer. */
export class RoutingStatus {
  readonly #item = window.createStatusBarItem("btx.routing", StatusBarAlignment.Right);

  constructor(context: ExtensionContext) {
    this.#item.name = "BTX Studio routing";
    this.#item.command = "btx.routeLayer";
    context.subscriptions.push(this.#item);
  }

  /** Hidden without a painting, and for a dense model. */
  show(painting: { routed: Routed; model: string } | undefined, shown: Shown): void {
    if (!painting || painting.routed.layers.length === 0) {
      this.#item.hide();
      return;
    }
    const { routed, model } = painting;
    const layer = layerName(routed.layers, shown);
    this.#item.text = `$(symbol-color) ${model}, ${layer}`;
    const lines = legend(routed, shown);
    const tooltip = new MarkdownString().appendText(`${routed.tokens.length} tokens, ${layer}`).appendMarkdown("\n\n");
    for (const { name, share } of lines.slice(0, listed))
      tooltip
        .appendMarkdown("- ")
        .appendText(`${name} ${percent(share)}`)
        .appendMarkdown("\n");
    if (lines.length > listed) tooltip.appendMarkdown(`\n${lines.length - listed} more in the list`);
    this.#item.tooltip = tooltip;
    this.#item.accessibilityInformation = { label: `${model}, ${spoken(routed, shown)}, pick a layer`, role: "button" };
    this.#item.show();
  }
}
