import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { format } from "node:util";
import { type Browser, chromium } from "playwright-core";
import { serverMain, whyNoKit } from "./kit.ts";
import { VsCodeServer } from "./server.ts";
import { Window } from "./window.ts";

/** A real VS Code with the extension, for the tests. test/vscode/README.md shows how it is used. */

/** The project: the extension in development mode. */
const project = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");

const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);

/** Why no VS Code can be started here; undefined if one can. */
export function whyNoVsCode(): string | undefined {
  if (whyNoKit()) return whyNoKit();
  if (!existsSync(serverMain)) return "VS Code for the tests is not installed: npm test installs it";
  return browserPath ? undefined : "there is no Chromium (Debian: apt-get install chromium)";
}

const themes = {
  dark: "Default Dark Modern",
  light: "Default Light Modern",
  "high contrast": "Default High Contrast",
  "high contrast light": "Default High Contrast Light",
} as const;

export interface VsCodeOptions {
  /** Source of the extension: this project as built, or a .vsix. */
  extension?: "development" | { vsix: string };
  /** False: Restricted Mode. Default true. */
  trusted?: boolean;
  theme?: keyof typeof themes;
  settings?: Record<string, unknown>;
  /** Environment of the extension host. */
  env?: Record<string, string>;
}

export interface OpenOptions {
  /** Size of the window, CSS pixels. */
  size?: { width: number; height: number };
  /** A module with `run()` that the extension host runs, and listeners for its output and end. */
  tests?: { path: string; log(line: string): void; exit(code: number): void };
}

export class VsCode {
  readonly server: VsCodeServer;
  readonly #browser: Browser;
  readonly #development: boolean;

  private constructor(server: VsCodeServer, browser: Browser, development: boolean) {
    this.server = server;
    this.#browser = browser;
    this.#development = development;
  }

  static async start(options: VsCodeOptions = {}): Promise<VsCode> {
    const { extension = "development", trusted = true, theme = "dark", settings, env } = options;
    const server = await VsCodeServer.start({
      trusted,
      settings: { "workbench.colorTheme": themes[theme], ...settings },
      ...(env ? { env } : {}),
      ...(extension === "development" ? {} : { vsix: extension.vsix }),
    });
    try {
      const browser = await chromium.launch({
        executablePath: browserPath ?? "",
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
      });
      return new VsCode(server, browser, extension === "development");
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Opens a window on a folder. Two windows on one folder have separate extension hosts. */
  async open(folder: string, { size = { width: 1280, height: 800 }, tests }: OpenOptions = {}): Promise<Window> {
    const context = await this.#browser.newContext({
      viewport: size,
      permissions: ["clipboard-read", "clipboard-write"],
    });
    const uri = (path: string) => ({ $mid: 1, scheme: "vscode-remote", authority: this.server.authority, path });
    if (tests) {
      await context.exposeFunction("codeAutomationLog", (_: string, parts: unknown[]) => tests.log(format(...parts)));
      await context.exposeFunction("codeAutomationExit", (code: number) => tests.exit(code));
    }
    if (this.#development)
      await context.addInitScript(
        develop({ extensions: [uri(project)], ...(tests ? { extensionTestsPath: uri(tests.path) } : {}) }),
      );
    return Window.open(context, `http://${this.server.authority}/?folder=${encodeURIComponent(folder)}`);
  }

  /** Closes all windows and ends all processes. */
  async close(): Promise<void> {
    await this.#browser.close();
    await this.server.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** For the page, before the workbench reads its configuration: adds extensions in development mode to it. */
const develop = (options: object): string => `if (window === window.top)
  new MutationObserver((_, observer) => {
    const element = document.getElementById("vscode-workbench-web-configuration");
    if (!element) return;
    observer.disconnect();
    const configuration = JSON.parse(element.getAttribute("data-settings"));
    Object.assign((configuration.developmentOptions ??= {}), ${JSON.stringify(options)});
    element.setAttribute("data-settings", JSON.stringify(configuration));
  }).observe(document, { childList: true, subtree: true });`;
