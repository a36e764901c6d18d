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

  /** Reloads the window as a person does: its extension host ends and a new one begins. */
  async reload(): Promise<void> {
    await this.page.reload();
    await this.#ready();
  }

  /** Runs a command by its title in the palette: "BTX Studio: Run Experiment". */
  async palette(title: string): Promise<void> {
    const row = await this.paletteRow(title);
    await row.click();
  }

  /** The row of a command in the open palette; waits until it is there. */
  async paletteRow(title: string): Promise<Locator> {
    const input = this.page.locator(".quick-input-widget input").first();
    const row = this.page.locator(".quick-input-widget .monaco-list-row", { hasText: title }).first();
    // Commands of an extension are known a moment after the window is.
    for (let attempt = 0; ; attempt++) {
      await this.page.keyboard.press("F1");
      await input.waitFor();
      await input.fill(`>${title}`);
      try {
        await row.waitFor({ timeout: attempt < 5 ? 2000 : 10_000 });
        return row;
      } catch (error) {
        if (attempt === 5) throw error;
        await this.page.keyboard.press("Escape");
      }
    }
  }

  /** Opens a file of the workspace by its name. */
  async openFile(name: string): Promise<void> {
    const input = this.page.locator(".quick-input-widget input").first();
    await this.page.keyboard.press("Control+P");
    await input.waitFor();
    await input.fill(name);
    await this.page.locator(".quick-input-widget .monaco-list-row", { hasText: name }).first().click();
    await this.page.locator(".editor-instance .monaco-editor").first().waitFor();
  }

  /** Opens a view container by the title of its icon in the activity bar. */
  async openViews(title: string): Promise<void> {
    const icon = this.page.locator(`.activitybar .action-item a[aria-label^="${title}"]`);
    await icon.waitFor();
    const item = icon.locator("xpath=ancestor::li[1]");
    if (!(await item.getAttribute("class"))?.split(" ").includes("checked")) await icon.click();
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
