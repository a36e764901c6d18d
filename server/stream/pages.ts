import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { open } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import {
  type PageFiles,
  type PageName,
  pageNameSchema,
  pagePolicy,
  pageText,
  pageTitles,
  type Start,
} from "../protocol/page.ts";
import type { Hub } from "./hub.ts";

/** Files of the pages, and nothing else of the disk. */
const files = new Map([
  ...pageNameSchema.options.flatMap((page): [string, string][] => [
    [`/${page}.js`, "text/javascript"],
    [`/${page}-style.css`, "text/css"],
  ]),
  ["/theme.css", "text/css"],
]);

/** Where the pages are: that of metrics is the first. */
const addresses = new Map<string, PageName>([
  ["/", "metrics"],
  ...pageNameSchema.options.map((page): [string, PageName] => [`/${page}`, page]),
]);

/**
 * The pages of the editor for a browser. Anybody on this machine may load their files; the content of runs needs the
 * token, which is part of the address that `btx serve` prints.
 */
export class Pages {
  readonly token = randomBytes(32).toString("base64url");
  readonly #folder: URL;
  readonly #start: Start;

  /** @param folder of the pages' files. @param start what the page is about. */
  constructor(folder: URL, start: Start) {
    this.#folder = folder;
    this.#start = start;
  }

  address(port: number): string {
    return `http://127.0.0.1:${port}/?token=${this.token}`;
  }

  answer(hub: Hub, path: string, request: IncomingMessage, response: ServerResponse): void {
    this.#answer(hub, path, request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else response.writeHead(500, plain).end(error instanceof Error ? error.message : "");
    });
  }

  async #answer(hub: Hub, path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const origin = `http://${request.headers.host}`;
    // Nothing that a page could send is read.
    request.resume();
    if (request.method === "POST") {
      if (!this.#mayRead(request)) return void response.writeHead(403, plain).end();
      if (path === "/start") return send(response, "application/json", JSON.stringify(this.#start));
      if (path === "/ticket") return send(response, "application/json", JSON.stringify(hub.ticket(origin)));
    } else if (request.method === "GET") {
      const page = addresses.get(path);
      if (page) return this.#page(page, hub, request, response);
      const type = files.get(path);
      if (type) return sendFile(response, type, new URL(`.${path}`, this.#folder));
    }
    response.writeHead(404, plain).end();
  }

  #mayRead({ headers }: IncomingMessage): boolean {
    const digest = (text: string) => createHash("sha256").update(text).digest();
    return timingSafeEqual(digest(headers.authorization ?? ""), digest(`Bearer ${this.token}`));
  }

  #page(name: PageName, hub: Hub, { headers }: IncomingMessage, response: ServerResponse): void {
    const page: PageFiles = {
      title: "BTX Studio",
      script: `${name}.js`,
      styles: ["theme.css", `${name}-style.css`],
      links: pageNameSchema.options.map((one) => ({
        text: pageTitles[one],
        address: `/${one}`,
        current: one === name,
      })),
      connect: ["'self'", `ws://${headers.host ?? `127.0.0.1:${hub.port}`}`],
      resources: ["'self'"],
    };
    response.setHeader("content-security-policy", `${pagePolicy(page)}; frame-ancestors 'none'`);
    send(response, "text/html", pageText(`${name}-page`, page));
  }
}

const plain = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
};

const headersOf = (type: string) => ({ ...plain, "content-type": `${type}; charset=utf-8` });

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, headersOf(type)).end(body);
}

/** Sends a file as fast as the peer reads it. A peer that ends the connection before the end is no error. */
async function sendFile(response: ServerResponse, type: string, file: URL): Promise<void> {
  const handle = await open(file);
  try {
    response.writeHead(200, headersOf(type));
    await pipeline(handle.createReadStream({ autoClose: false }), response).catch(() => response.destroy());
  } finally {
    await handle.close();
  }
}
