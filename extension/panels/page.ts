import { ColorThemeKind, Uri, ViewColumn, type WebviewPanel, window, workspace } from "vscode";
import type { Studio } from "../studio.ts";

/** Pages that the backend writes into a run folder: reports and comparisons. */

const types = ["btx.report", "btx.comparison"] as const;

export interface Page {
  /** Kind of panel. */
  type: (typeof types)[number];
  path: string;
  title: string;
}

/** A page has no script and its own policy forbids fetching, so its webview allows neither. */
const noAccess = { enableScripts: false, localResourceRoots: [] };

/** Open pages, by their paths. */
const panels = new Map<string, { panel: WebviewPanel; update(): Promise<void> }>();

/** Shows a page, or reloads it if it is open. */
export async function showPage(studio: Studio, page: Page): Promise<void> {
  const open = panels.get(page.path);
  if (open) {
    open.panel.title = page.title;
    keep(studio, page);
    open.panel.reveal();
    return open.update();
  }
  const options = { ...noAccess, enableFindWidget: true };
  await fill(studio, window.createWebviewPanel(page.type, page.title, ViewColumn.Active, options), page);
}

/** Restores pages when a window is reloaded, unless their file was removed. */
export function registerWrittenPages(studio: Studio): void {
  for (const type of types)
    studio.context.subscriptions.push(
      window.registerWebviewPanelSerializer(type, {
        async deserializeWebviewPanel(panel) {
          const isIt = (page: Page) => page.type === type && page.title === panel.title && !panels.has(page.path);
          const page = kept(studio).find(isIt);
          panel.webview.options = noAccess;
          if (page) await fill(studio, panel, page).catch(() => panel.dispose());
          else panel.dispose();
        },
      }),
    );
}

async function fill(studio: Studio, panel: WebviewPanel, page: Page): Promise<void> {
  const update = async () => {
    const text = new TextDecoder().decode(await workspace.fs.readFile(Uri.file(page.path)));
    panel.webview.html = inTheme(text, window.activeColorTheme.kind);
  };
  panels.set(page.path, { panel, update });
  keep(studio, page);
  const reload = () => void update().catch(() => {});
  const subscriptions = [window.onDidChangeActiveColorTheme(reload)];
  if (page.type === "btx.report") subscriptions.push(studio.experiments.onDidChange(reload));
  panel.onDidDispose(() => {
    panels.delete(page.path);
    forget(studio, page);
    for (const subscription of subscriptions) subscription.dispose();
  });
  await update();
}

/** Open pages are kept in the workspace's state: without a script, pages cannot keep their own. */
const key = "btx.pages";
const kept = ({ context }: Studio): Page[] => context.workspaceState.get<Page[]>(key, []);
const others = (studio: Studio, { path }: Page): Page[] => kept(studio).filter((page) => page.path !== path);
const keep = (studio: Studio, page: Page) => studio.context.workspaceState.update(key, [...others(studio, page), page]);
const forget = (studio: Studio, page: Page) => studio.context.workspaceState.update(key, others(studio, page));

/** Replaces the page's media queries for dark and high-contrast mode by the state of the editor's theme. */
function inTheme(page: string, kind: ColorThemeKind): string {
  const dark = kind === ColorThemeKind.Dark || kind === ColorThemeKind.HighContrast;
  const contrast = kind === ColorThemeKind.HighContrast || kind === ColorThemeKind.HighContrastLight;
  const query = (holds: boolean) => (holds ? "(min-width:0)" : "(max-width:0)");
  return page
    .replaceAll("(prefers-color-scheme:dark)", query(dark))
    .replaceAll("(prefers-contrast:more)", query(contrast));
}
