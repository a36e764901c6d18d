import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, onTestFinished } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { type PageName, pagePolicy, pageText, type Start } from "../../../server/protocol/page.ts";
import { type PageMessage, pageMessageSchema, streamPath, subprotocol } from "../../../server/protocol/stream.ts";
import { browserPath } from "./support.ts";

/** Pages in a real browser, with a scripted backend. */

const project = new URL("../../..", import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), "btx-scripted-page-"));
let browser: Promise<Browser> | undefined;
const built = new Map<PageName, Promise<unknown>>();

afterAll(async () => {
  await (await browser)?.close();
  rmSync(scratch, { recursive: true, force: true });
});

/** A page's files, built as `esbuild.mjs` builds them. */
function buildPage(name: PageName): Promise<unknown> {
  const known = built.get(name);
  if (known) return known;
  const building = build({
    absWorkingDir: project,
    entryPoints: {
      [name]: `webview/${name}/main.ts`,
      [`${name}-style`]: `webview/${name}/${name}.css`,
      theme: "webview/theme.css",
    },
    outdir: scratch,
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2023",
    logLevel: "warning",
  });
  built.set(name, building);
  return building;
}

export type Send = (data: string | ArrayBuffer) => void;

export interface Script {
  page: PageName;
  start: Start;
  /** Answers a message of the page. */
  answer(message: PageMessage, send: Send): void;
}

export interface OpenedPage {
  page: Page;
  /** The page's messages. */
  asked: PageMessage[];
  problems: string[];
  /** Sends a message that answers no question. */
  say(message: object): void;
  /** Ends all connections. */
  drop(): void;
}

/** Opens a page whose backend is the script. */
export async function openScripted(script: Script, options: BrowserContextOptions = {}): Promise<OpenedPage> {
  const { page: name } = script;
  await buildPage(name);
  const asked: PageMessage[] = [];
  const sockets = new Map<WebSocket, Send>();
  const server = createServer((request, response) => {
    const { port } = server.address() as AddressInfo;
    const { pathname } = new URL(request.url ?? "/", "http://127.0.0.1");
    if (request.method === "POST") {
      const answer = pathname === "/start" ? script.start : { port, token: "x".repeat(43) };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
    } else if (pathname === "/") {
      const files = {
        title: "BTX Studio",
        script: `${name}.js`,
        styles: ["theme.css", `${name}-style.css`],
        connect: ["'self'", `ws://127.0.0.1:${port}`],
        resources: ["'self'"],
      };
      response.writeHead(200, { "content-type": "text/html", "content-security-policy": pagePolicy(files) });
      response.end(pageText(`${name}-page`, files));
    } else if (/^\/[a-z-]+\.(js|css)$/.test(pathname)) {
      const type = pathname.endsWith("js") ? "text/javascript" : "text/css";
      response.writeHead(200, { "content-type": type }).end(readFileSync(join(scratch, pathname)));
    } else response.writeHead(404).end("another page");
  });
  const stream = new WebSocketServer({ server, path: streamPath, handleProtocols: () => subprotocol });
  stream.on("connection", (socket) => {
    const send: Send = (data) => socket.send(data);
    sockets.set(socket, send);
    socket.on("close", () => sockets.delete(socket));
    socket.on("message", (data) => {
      const message = pageMessageSchema.parse(JSON.parse(String(data)));
      asked.push(message);
      script.answer(message, send);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  browser ??= chromium.launch({
    executablePath: browserPath ?? "",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
  });
  const context = await (await browser).newContext({ viewport: { width: 1100, height: 900 }, ...options });
  onTestFinished(async () => {
    await context.close();
    stream.close();
    server.closeAllConnections();
    server.close();
  });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("console", (message) => {
    // The tests read pixels, but the page does not.
    if (!message.text().startsWith("Canvas2D: Multiple readback")) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(error.message));
  // What the page's policy blocks.
  await page.addInitScript(
    "addEventListener('securitypolicyviolation', (e) => console.log('refused: ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample))",
  );
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/?token=t`);
  return {
    page,
    asked,
    problems,
    say(message) {
      for (const send of sockets.values()) send(JSON.stringify(message));
    },
    drop() {
      for (const socket of sockets.keys()) socket.terminate();
    },
  };
}
