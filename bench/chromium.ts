import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";

/**
 * A page of Chromium, without a graphics card, that is only looked at: Playwright has every message of a page's sockets
 * copied to itself, which costs more than drawing what is in them.
 */
export class ChromiumPage {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #calls = 0;

  private constructor(process: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.on("message", (data) => {
      const { id, result, error } = JSON.parse(String(data));
      if (error) this.#waiting.get(id)?.reject(new Error(error.message));
      else this.#waiting.get(id)?.resolve(result);
      this.#waiting.delete(id);
    });
  }

  /** @param size of the page, CSS pixels. */
  static async open(program: string, size: { width: number; height: number }): Promise<ChromiumPage> {
    const profile = mkdtempSync(join(tmpdir(), "btx-chromium-"));
    const child = spawn(
      program,
      [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--remote-debugging-port=0",
        `--user-data-dir=${profile}`,
        "about:blank",
      ],
      { stdio: "ignore" },
    );
    const port = await until(() => readFileSync(join(profile, "DevToolsActivePort"), "utf8").split("\n")[0]);
    const { webSocketDebuggerUrl } = await until(async () => {
      const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as Record<string, string>[];
      return targets.find(({ type }) => type === "page");
    });
    const socket = new WebSocket(webSocketDebuggerUrl!, { perMessageDeflate: false });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    const page = new ChromiumPage(child, profile, socket);
    await page.call("Emulation.setDeviceMetricsOverride", { ...size, deviceScaleFactor: 1, mobile: false });
    return page;
  }

  /** A command of the Chrome DevTools Protocol. */
  call(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  async goto(url: string): Promise<void> {
    await this.call("Page.navigate", { url });
  }

  /** The value of an expression. */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.call("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    return (answer as { result: { value?: unknown } }).result.value;
  }

  /** Waits until an expression is true. @throws Error after half a minute. */
  async until(expression: string): Promise<void> {
    await until(async () => (await this.evaluate(expression)) || undefined);
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill();
    await gone;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** What `look` finds, as soon as it finds something; it may throw while there is nothing yet. */
async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const end = performance.now() + 30_000;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    if (performance.now() > end) throw new Error("nothing came within half a minute");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
