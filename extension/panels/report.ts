import { ColorThemeKind, Uri, ViewColumn, type WebviewPanel, window, workspace } from "vscode";
import type { ListedRun } from "../../server/protocol/editor.ts";
import type { Studio } from "../studio.ts";

/** Open reports, by the path of the report. */
const panels = new Map<string, WebviewPanel>();

/**
 * Shows `report.html` of a run. The page has no script, and a policy of its own that lets nothing be fetched, so it is
 * shown in a webview that could do neither.
 */
export async function showReport(studio: Studio, { report, name, run }: ListedRun): Promise<void> {
  if (report === undefined) throw new Error(`Run ${run} has no report yet: it is written when the run ends.`);
  const open = panels.get(report);
  if (open) {
    open.reveal();
    return;
  }
  const panel = window.createWebviewPanel("btx.report", `${name}: report`, ViewColumn.Active, {
    enableScripts: false,
    localResourceRoots: [],
    enableFindWidget: true,
  });
  panels.set(report, panel);
  const update = async () => {
    const text = new TextDecoder().decode(await workspace.fs.readFile(Uri.file(report)));
    panel.webview.html = inTheme(text, window.activeColorTheme.kind);
  };
  const keep = () => void update().catch(() => {});
  const subscriptions = [window.onDidChangeActiveColorTheme(keep), studio.experiments.onDidChange(keep)];
  panel.onDidDispose(() => {
    panels.delete(report);
    for (const subscription of subscriptions) subscription.dispose();
  });
  await update();
}

/** The page asks the system whether it is dark; in the editor the theme says so. */
export function inTheme(page: string, kind: ColorThemeKind): string {
  const dark = kind === ColorThemeKind.Dark || kind === ColorThemeKind.HighContrast;
  return page.replaceAll("(prefers-color-scheme:dark)", dark ? "(min-width:0)" : "(max-width:0)");
}
