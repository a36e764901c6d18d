import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BrowserContext, FrameLocator, Locator, Page } from "playwright-core";

/** A VS Code window in a browser. */

const screenshots = fileURLToPath(new URL("../../../dist/test/screenshots", import.meta.url));

export class Window {
  readonly page: Page;
  readonly #context: BrowserContext;
  /** Errors of the workbench's page, and requests to other machines (they are refused). */
  readonly errors: string[] = [];
  readonly outside: string[] = [];

  private constructor(context: BrowserContext, page: Page) {
    this.#context = context;
    this.page = page;
    // Allows for a busy machine; what never appears still fails.
    page.setDefaultTimeout(60_000);
    page.on("pageerror", (error) => this.errors.push(error.message));
  }

  static async open(context: BrowserContext, url: string): Promise<Window> {
    const window = new Window(context, await context.newPage());
    const away = ({ protocol, hostname }: URL) => /^(https?|wss?):$/.test(protocol) && hostname !== "127.0.0.1";
    await context.route(away, (route) => {
      window.outside.push(route.request().url());
      return route.abort();
    });
    await window.page.goto(url);
    await window.#ready();
    return window;
  }

  async #ready(): Promise<void> {
    await this.page.locator(".monaco-workbench .part.statusbar").waitFor({ timeout: 60_000 });
    await this.page.locator(".monaco-workbench .part.activitybar").waitFor({ timeout: 60_000 });
  }

  /** Reloads the window as a user does: its extension host ends and a new one starts. */
  async reload(): Promise<void> {
    await this.page.reload();
    await this.#ready();
  }

  /** Runs a command by its title in the palette: "BTX Studio: Run Experiment". */
  async palette(title: string): Promise<void> {
    return this.quickAccess(">", title);
  }

  /** Whether the palette offers a command now. */
  async offers(title: string): Promise<boolean> {
    const row = await this.#quickRow(`>${title}`, title);
    await this.page.keyboard.press("Escape");
    return row !== undefined;
  }

  /** Picks a row that the field at the top of the window offers for a prefix, such as "btx: run tiny.btx.yaml" for "task ". */
  async quickAccess(prefix: string, label: string): Promise<void> {
    // Extensions provide their items a moment after the window opens.
    for (let attempt = 0; attempt < 20; attempt++) {
      const row = await this.#quickRow(prefix + label, label);
      if (row) return row.click();
      await this.page.keyboard.press("Escape");
    }
    throw new Error(`"${prefix}" does not offer "${label}"`);
  }

  /** Opens a file of the workspace by its name. */
  async openFile(name: string): Promise<void> {
    // The index of files is ready a moment after the window.
    for (let attempt = 0; attempt < 20; attempt++) {
      const row = await this.#quickRow(name, name);
      if (row) {
        await row.click();
        await this.page.locator(".tab.active", { hasText: name }).waitFor();
        return this.page.locator(".editor-instance .monaco-editor").first().waitFor();
      }
      await this.page.keyboard.press("Escape");
    }
    throw new Error(`there is no file ${name}`);
  }

  /** Types into the field at the top of the window; returns the row with `label` if it appears within a second or two. */
  async #quickRow(text: string, label: string): Promise<Locator | undefined> {
    const input = this.page.locator(".quick-input-widget input").first();
    for (let attempt = 0; attempt < 10 && !(await input.isVisible()); attempt++) {
      await this.page.keyboard.press("F1");
      await input.waitFor({ timeout: 2000 }).catch(() => {});
    }
    await input.fill(text);
    const row = this.page.locator(".quick-input-widget .monaco-list-row", { hasText: label }).first();
    return row.waitFor({ timeout: 2000 }).then(
      () => row,
      () => undefined,
    );
  }

  /** Opens a view container by the title of its icon in the activity bar. */
  async openViews(title: string): Promise<void> {
    // The whole item: a badge may cover the icon.
    const icon = this.page.locator(".activitybar .action-item", {
      has: this.page.locator(`a[aria-label^="${title}"]`),
    });
    const shown = this.page.locator(".part.sidebar .composite.title", { hasText: title });
    await icon.waitFor();
    // Clicking the icon of an open view closes it, and a reloaded window opens it by itself at some point.
    for (let attempt = 0; attempt < 10; attempt++) {
      const open = await shown.waitFor({ timeout: 1500 }).then(
        () => true,
        () => false,
      );
      if (open) return;
      await icon.click();
    }
    throw new Error(`the views of ${title} do not open`);
  }

  /** Rows of the trees in the side bar. */
  rows(text?: string | RegExp): Locator {
    return this.page.locator(".part.sidebar .monaco-list-row", text === undefined ? {} : { hasText: text });
  }

  /** Messages in the corner. */
  notifications(text?: string | RegExp): Locator {
    return this.page.locator(".notifications-toasts .notification-toast", text === undefined ? {} : { hasText: text });
  }

  /** The page of the `index`-th visible webview: locate in it as in any frame. */
  webview(index = 0): FrameLocator {
    return this.page.frameLocator("iframe.webview.ready").nth(index).frameLocator("iframe#active-frame");
  }

  /** Writes dist/test/screenshots/NAME.png and returns its path. */
  async screenshot(name: string): Promise<string> {
    mkdirSync(screenshots, { recursive: true });
    const path = join(screenshots, `${name}.png`);
    await this.page.screenshot({ path });
    return path;
  }

  async close(): Promise<void> {
    await this.#context.close();
  }
}
