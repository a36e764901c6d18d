import { Uri, ViewColumn, type WebviewPanel, window } from "vscode";
import type { PageName, Start } from "../../server/protocol/page.ts";
import type { Studio } from "../studio.ts";
import { LivePage } from "./livePage.ts";

/** Pages that stream from the backend; each kind has its own type of panel and its icon. */
const kinds: readonly PageName[] = ["metrics", "routing", "expert", "tokens"];

const typeOf = (page: PageName): string => `btx.${page}`;

/** Open pages, by kind and subject. */
const pages = new Map<string, LivePage>();

const nameOf = (page: PageName, { runs, model, expert }: Start): string =>
  JSON.stringify([page, runs.map(({ root, run }) => [root, run]), model?.key, expert]);

function add(studio: Studio, panel: WebviewPanel, page: PageName, start: Start): void {
  panel.iconPath = Uri.joinPath(
    studio.context.extensionUri,
    "media",
    page === "metrics" ? "metrics.svg" : "routing.svg",
  );
  const name = nameOf(page, start);
  const live = new LivePage(studio, panel, page, start, (other, wanted) =>
    showPage(studio, other, wanted.expert ?? "", wanted),
  );
  pages.set(name, live);
  panel.onDidDispose(() => {
    if (pages.get(name) === live) pages.delete(name);
  });
}

/** Opens a page, or updates it if it is open. @param about the title's subject, until the page sets its own title. */
export function showPage(studio: Studio, page: PageName, about: string, start: Start): void {
  const open = pages.get(nameOf(page, start));
  if (open) {
    open.show(start);
    return;
  }
  add(
    studio,
    window.createWebviewPanel(typeOf(page), about ? `${about}: ${page}` : page, ViewColumn.Active),
    page,
    start,
  );
}

/** Restores pages when a window is reloaded; each page keeps its own state. */
export function registerPages(studio: Studio): void {
  for (const page of kinds)
    studio.context.subscriptions.push(
      window.registerWebviewPanelSerializer(typeOf(page), {
        async deserializeWebviewPanel(panel, state) {
          const { keptSchema } = await import("../heavy.ts");
          const kept = keptSchema.safeParse(state);
          if (kept.success && kept.data.title) panel.title = kept.data.title;
          add(studio, panel, page, { runs: kept.success ? kept.data.runs : [] });
        },
      }),
    );
}
