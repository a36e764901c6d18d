import { MarkdownString, StatusBarAlignment, window } from "vscode";
import { colorVariable } from "../../server/protocol/colors.ts";
import { expertLooks } from "../../server/protocol/expertLooks.ts";
import { percent, percentDone } from "../../server/protocol/format.ts";
import { runShare } from "../progress.ts";
import { layerName, legend, spoken } from "../routing/texts.ts";
import type { Studio } from "../studio.ts";
import { runText, stageText } from "../tree/texts.ts";

/** One part of the item: its icon, text and tooltip. */
interface Part {
  icon: string;
  text: string;
  /** For a screen reader. */
  spoken: string;
  command: string;
  addTo(tooltip: MarkdownString): void;
}

/** Maximum number of experts in the legend; the list of layers shows all. */
const maxExperts = 12;

/**
 * The status bar item: the model and layer that colour the active text, and the running runs with their progress. A
 * click lists the layers or the running stages. The item is hidden when there is nothing to show.
 */
export function registerStatusBar(studio: Studio): void {
  const { context, experiments, routing } = studio;
  const item = window.createStatusBarItem("btx", StatusBarAlignment.Left);
  item.name = "BTX Studio";
  const update = () => {
    const parts = [routedPart(studio), runningPart(studio)].filter((part) => part !== undefined);
    const [first] = parts;
    if (!first) return item.hide();
    item.text = `$(${first.icon}) ${parts.map(({ text }) => text).join(" · ")}`;
    item.command = first.command;
    const tooltip = new MarkdownString();
    tooltip.supportHtml = true;
    tooltip.isTrusted = { enabledCommands: parts.map(({ command }) => command) };
    for (const part of parts) part.addTo(tooltip);
    item.tooltip = tooltip;
    item.accessibilityInformation = { label: parts.map((part) => part.spoken).join("; "), role: "button" };
    item.show();
  };
  context.subscriptions.push(
    item,
    experiments.onDidChange(update),
    experiments.onDidChangeStages(update),
    routing.onDidChangeActive(update),
  );
}

/** Undefined if the active text has no colours or the model is dense. */
function routedPart({ routing }: Studio): Part | undefined {
  const painting = routing.of(window.activeTextEditor?.document.uri);
  if (!painting || painting.routed.layers.length === 0) return undefined;
  const { routed, model } = painting;
  const shown = routing.shownIn(painting);
  const layer = layerName(routed.layers, shown);
  return {
    icon: "symbol-color",
    text: `${model}, ${layer}`,
    spoken: `${model}, ${spoken(routed, shown)}, pick a layer`,
    command: "btx.routeLayer",
    addTo(tooltip) {
      const [looks, lines] = [expertLooks(routed.experts), legend(routed, shown)];
      tooltip.appendText(`${routed.tokens.length} tokens, ${layer}`).appendMarkdown("\n\n");
      for (const { name, share, expert } of lines.slice(0, maxExperts))
        tooltip
          .appendMarkdown(`- <span style="color:var(${colorVariable(looks[expert]!.color)});">■</span> `)
          .appendText(`${name} ${percent(share)}`)
          .appendMarkdown("\n");
      if (lines.length > maxExperts) tooltip.appendMarkdown(`\n${lines.length - maxExperts} more in the list`);
      tooltip.appendMarkdown("\n\n[Pick a layer](command:btx.routeLayer)\n\n");
    },
  };
}

function runningPart({ experiments }: Studio): Part | undefined {
  const running = experiments.runs.filter(({ state }) => state === "running");
  if (running.length === 0) return undefined;
  const known = running.map((run) => ({ run, stages: experiments.knownStages(run) ?? [] }));
  const share = known.reduce((sum, { stages }) => sum + runShare(stages), 0) / known.length;
  const what = running.length === 1 ? running[0]!.name : `${running.length} runs`;
  return {
    icon: "sync~spin",
    text: `${what} ${percentDone(share)}`,
    spoken: `${what}, ${percentDone(share)} done, list running stages`,
    command: "btx.showRunning",
    addTo(tooltip) {
      for (const { run, stages } of known) {
        tooltip.appendMarkdown("**").appendText(run.name).appendMarkdown("** ");
        tooltip.appendText(runText(run, stages)).appendMarkdown("\n\n");
        for (const stage of stages.filter(({ state }) => state === "running"))
          tooltip
            .appendMarkdown("- ")
            .appendText(`${stage.name}: ${stageText(stage)}`)
            .appendMarkdown("\n");
      }
      tooltip.appendMarkdown("\n\n[Running stages](command:btx.showRunning)\n\n");
    },
  };
}
