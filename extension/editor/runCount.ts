import { StatusBarAlignment, window } from "vscode";
import type { Studio } from "../studio.ts";

/** The status bar says how many runs are running; with none there is nothing to see. */
export function registerRunCount({ context, experiments }: Studio): void {
  const item = window.createStatusBarItem("btx.runs", StatusBarAlignment.Left);
  item.name = "BTX Studio runs";
  item.command = "btx.experiments.focus";
  const update = () => {
    const running = experiments.runs.filter(({ state }) => state === "running");
    item.text = `$(sync~spin) ${running.length === 1 ? running[0]!.name : `${running.length} runs`}`;
    item.tooltip = running.map(({ name, run }) => `${name}, run ${run}, is running`).join("\n");
    item.accessibilityInformation = { label: item.tooltip };
    if (running.length > 0) item.show();
    else item.hide();
  };
  context.subscriptions.push(item, experiments.onDidChange(update));
}
