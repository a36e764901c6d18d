/// <reference lib="dom" />
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { VsCodeOptions } from "../vscode/harness/vscode.ts";
import type { Window } from "../vscode/harness/window.ts";
import { until } from "./support.ts";

/** Shared code of the suites that take pictures. `node run.mjs pictures` saves the pictures in docs/images. */

/** A folder with `demo.btx.yaml` and its finished run, and where to keep pictures. */
export const { BTX_PICTURES_OF: given, BTX_PICTURES: kept } = process.env;
export const size = { width: 1280, height: 800 };
const all: [string, NonNullable<VsCodeOptions["theme"]>][] = [
  ["dark", "dark"],
  ["light", "light"],
  ["high-contrast", "high contrast"],
];
/**
 * Themes differ in colours, which no test measures; high contrast also in borders, so it suffices if no pictures are
 * saved.
 */
export const themes = kept === undefined ? all.slice(2) : all;
export const settings = {
  "workbench.startupEditor": "none",
  "window.commandCenter": false,
  "editor.autoClosingBrackets": "never",
  "editor.autoIndent": "none",
  // It would cover the ends of lines and their hints.
  "editor.minimap.enabled": false,
};

/** Takes a picture of a window and saves it if requested. */
export async function picture(window: Window, name: string): Promise<void> {
  const path = await window.screenshot(name);
  if (kept === undefined) return;
  mkdirSync(kept, { recursive: true });
  copyFileSync(path, join(kept, `${name}.png`));
}

/** Runs a command, accepts the first item of its list if there is one, and waits for its page. */
export async function openFromPalette(window: Window, title: string, tab: string): Promise<void> {
  await window.palette(title);
  const picks = window.page.locator(".quick-input-widget .monaco-list-row");
  const opened = window.page.locator(".tab.active", { hasText: tab });
  await until("a page or a question", async () => (await opened.count()) > 0 || (await picks.first().isVisible()));
  if (await picks.first().isVisible()) await window.page.keyboard.press("Enter");
  await opened.waitFor();
}

/** Expands the rows of an experiment and of its newest run. */
export async function expandRun(window: Window, file: string): Promise<void> {
  const stages = window.rows(/^\s*seed/);
  for (let attempt = 0; attempt < 10 && (await stages.count()) === 0; attempt++) {
    for (const text of [file, /done/]) {
      const row = window.rows(text).first();
      await row.waitFor();
      if ((await row.getAttribute("aria-expanded")) !== "false") continue;
      await row.locator(".monaco-tl-twistie").click();
    }
    await stages
      .first()
      .waitFor({ timeout: 2000 })
      .catch(() => {});
  }
  await stages.first().waitFor();
}

/** Rows that are wider than the side bar. */
export const outside = (window: Window): Promise<string[]> =>
  window.page.locator(".part.sidebar").evaluate((bar) => {
    const { right } = bar.getBoundingClientRect();
    return [...bar.querySelectorAll(".monaco-list-row")]
      .filter((row) => row.getBoundingClientRect().right > right + 1)
      .map((row) => row.textContent ?? "");
  });

/** Texts of a page that are hidden or cut off by their containers. */
export function cutOff(body: Element): string[] {
  const found: string[] = [];
  const look = (root: Element | ShadowRoot) => {
    for (const element of root.querySelectorAll<HTMLElement>("*")) {
      if (element.shadowRoot) look(element.shadowRoot);
      if (element.children.length > 0 || !element.textContent?.trim()) continue;
      // Elements for screen readers only are one pixel wide.
      const hides = /hidden|clip/.test(getComputedStyle(element).overflowX) && element.clientWidth > 1;
      if (hides && element.scrollWidth > element.clientWidth + 1) found.push(element.textContent.trim());
    }
  };
  look(body);
  return found;
}
