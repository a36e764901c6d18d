import { ColorThemeKind, type Disposable, Uri, ViewColumn, type WebviewPanel, window, workspace } from "vscode";

/** Pages that the backend has written into the run folder: reports and comparisons. */

export interface Page {
  /** Kind of panel. */
  type: string;
  path: string;
  title: string;
  /** Registers what is to be called when the page may have changed. */
  onDidChange?(update: () => void): Disposable;
}

/** Open pages, by their paths. */
const panels = new Map<string, { panel: WebviewPanel; update(): Promise<void> }>();

/**
 * Shows a page, or what it now is if it is open. It has no script, and a policy of its own that lets nothing be fetched, so
 * it is shown in a webview that could do neither.
 */
export async function showPage({ type, path, title, onDidChange }: Page): Promise<void> {
  const open = panels.get(path);
  if (open) {
    open.panel.title = title;
    open.panel.reveal();
    return open.update();
  }
  const panel = window.createWebviewPanel(type, title, ViewColumn.Active, {
    enableScripts: false,
    localResourceRoots: [],
    enableFindWidget: true,
  });
  const update = async () => {
    const text = new TextDecoder().decode(await workspace.fs.readFile(Uri.file(path)));
    panel.webview.html = inTheme(text, window.activeColorTheme.kind);
  };
  panels.set(path, { panel, update });
  const keep = () => void update().catch(() => {});
  const subscriptions = [window.onDidChangeActiveColorTheme(keep), ...(onDidChange ? [onDidChange(keep)] : [])];
  panel.onDidDispose(() => {
    panels.delete(path);
    for (const subscription of subscriptions) subscription.dispose();
  });
  await update();
}

/** The page asks the system whether it is dark and of high contrast; in the editor the theme says so. */
function inTheme(page: string, kind: ColorThemeKind): string {
  const dark = kind === ColorThemeKind.Dark || kind === ColorThemeKind.HighContrast;
  const contrast = kind === ColorThemeKind.HighContrast || kind === ColorThemeKind.HighContrastLight;
  const asked = (is: boolean) => (is ? "(min-width:0)" : "(max-width:0)");
  return page
    .replaceAll("(prefers-color-scheme:dark)", asked(dark))
    .replaceAll("(prefers-contrast:more)", asked(contrast));
}
