import { Uri, ViewColumn, type WebviewPanel, window } from "vscode";
import type { ListedRun, RunReference } from "../../server/protocol/editor.ts";
import type { Studio } from "../studio.ts";
import { LivePage, type LivePageKind } from "./livePage.ts";

const type = "btx.metrics";
const kind: LivePageKind = { element: "metrics-page", script: "metrics.js", style: "metrics-style.css" };

/** Open pages, by the runs they were opened for. */
const pages = new Map<string, LivePage>();

const nameOf = (runs: readonly RunReference[]): string => JSON.stringify(runs.map(({ root, run }) => [root, run]));

function add(studio: Studio, panel: WebviewPanel, runs: RunReference[], stages: string[] | undefined): void {
  panel.iconPath = Uri.joinPath(studio.context.extensionUri, "media/metrics.svg");
  const name = nameOf(runs);
  const page = new LivePage(studio, panel, kind, { runs, ...(stages ? { stages } : {}) });
  pages.set(name, page);
  panel.onDidDispose(() => {
    if (pages.get(name) === page) pages.delete(name);
  });
}

/** Shows the live metrics of runs, and of these stages first. */
export function showMetrics(studio: Studio, runs: readonly ListedRun[], stages?: string[]): void {
  const references = runs.map(({ root, run }) => ({ root, run }));
  const open = pages.get(nameOf(references));
  if (open) {
    open.show({ runs: references, ...(stages ? { stages } : {}) });
    return;
  }
  const title = `${[...new Set(runs.map(({ name }) => name))].join(", ")}: metrics`;
  add(studio, window.createWebviewPanel(type, title, ViewColumn.Active), references, stages);
}

/** Pages come back with the window. What they were about they have kept themselves. */
export function registerMetrics(studio: Studio): void {
  studio.context.subscriptions.push(
    window.registerWebviewPanelSerializer(type, {
      async deserializeWebviewPanel(panel, state) {
        const { keptSchema } = await import("../heavy.ts");
        const kept = keptSchema.safeParse(state);
        if (kept.success && kept.data.title) panel.title = kept.data.title;
        add(studio, panel, kept.success ? kept.data.runs : [], undefined);
      },
    }),
  );
}
