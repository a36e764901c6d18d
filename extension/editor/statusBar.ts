import { MarkdownString, StatusBarAlignment, window } from "vscode";
import { percentDone, runShare } from "../progress.ts";
import type { Studio } from "../studio.ts";
import { runText, stageText } from "../tree/texts.ts";

/** The status bar says what runs and how far it is; with nothing running there is nothing to see. A click lists the stages. */
export function registerStatusBar({ context, experiments }: Studio): void {
  const item = window.createStatusBarItem("btx.runs", StatusBarAlignment.Left);
  item.name = "BTX Studio runs";
  item.command = "btx.showRunning";
  const update = () => {
    const running = experiments.runs.filter(({ state }) => state === "running");
    if (running.length === 0) return item.hide();
    const known = running.map((run) => ({ run, stages: experiments.knownStages(run) ?? [] }));
    const share = known.reduce((sum, { stages }) => sum + runShare(stages), 0) / known.length;
    const what = running.length === 1 ? running[0]!.name : `${running.length} runs`;
    item.text = `$(sync~spin) ${what} ${percentDone(share)}`;
    const tooltip = new MarkdownString();
    for (const { run, stages } of known) {
      tooltip.appendMarkdown("**").appendText(run.name).appendMarkdown("** ");
      tooltip.appendText(runText(run, stages)).appendMarkdown("\n\n");
      for (const stage of stages.filter(({ state }) => state === "running"))
        tooltip
          .appendMarkdown("- ")
          .appendText(`${stage.name}: ${stageText(stage)}`)
          .appendMarkdown("\n");
      tooltip.appendMarkdown("\n\n");
    }
    item.tooltip = tooltip;
    item.accessibilityInformation = {
      label: `${what}, ${percentDone(share)} done, list running stages`,
      role: "button",
    };
    item.show();
  };
  context.subscriptions.push(item, experiments.onDidChange(update), experiments.onDidChangeStages(update));
}
