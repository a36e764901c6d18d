import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { maxBytes, streamPath, subprotocol, type Ticket, tokenPrefix } from "../protocol/stream.ts";
import { maxUnread } from "./outbox.ts";
import type { PageInspector } from "./pageInspections.ts";
import { ReaderClient } from "./reader/client.ts";
import { requestPath } from "./requestPath.ts";
import { Session } from "./session.ts";
import { Tickets } from "./tickets.ts";
import { Turns } from "./turns.ts";

/** Most pages at once, and most connections of any kind. */
const maxPages = 64;
const maxSockets = 256;
/** Most exports at once, over all pages; the others wait. */
const maxExports = 4;
/** A connection that reads nothing of what it was sent for this long is closed, ms. */
const patience = 60_000;

const statusLine = (status: number): string =>
  `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;

export interface HubOptions {
  /** Program of the thread that reads metrics. */
  reader: URL;
  /** 0: any free port. */
  port?: number;
  /** Run folders that may be read; absent: any. */
  roots?: readonly string[];
  /** Absent: models are not inspected for pages. */
  inspector?: PageInspector;
  /** Whether the user trusts the workspace. */
  trusted(): boolean;
  log(text: string): void;
  /** Answers requests other than those for a stream; absent: nothing else is served. */
  pages?(hub: Hub, path: string, request: IncomingMessage, response: ServerResponse): void;
  /** Tests pass a shorter time. */
  patience?: number;
}

/**
 * A WebSocket server for pages, on the loopback interface. A page needs a token, which is valid once, and must come
 * from the origin that the token was issued for. The hub only reads run folders; slow work runs in its own thread.
 */
export class Hub {
  readonly #options: HubOptions & { patience: number };
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: maxBytes,
    perMessageDeflate: false,
    autoPong: false,
    clientTracking: true,
    handleProtocols: () => subprotocol,
  });
  readonly #tickets = new Tickets();
  readonly #reader: ReaderClient;
  readonly #exports = new Turns(maxExports);
  #closed = false;

  private constructor(options: HubOptions) {
    // Questions that are cut off when it closes fail, which nobody needs to read.
    const log = (text: string) => this.#closed || options.log(text);
    this.#options = { patience, ...options, log };
    this.#reader = new ReaderClient(options.reader);
    this.#server = createServer({ headersTimeout: 10_000, requestTimeout: 20_000 }, (request, response) => {
      const path = requestPath(request.url);
      if (path === undefined) response.writeHead(400).end();
      else if (this.#isLocal(request) && options.pages) options.pages(this, path, request, response);
      else response.writeHead(404).end();
    });
    this.#server.maxConnections = maxSockets;
    this.#server.timeout = this.#options.patience;
    // Node.js begins to answer every request that a client sends, even if the client reads no answers.
    this.#server.maxRequestsPerSocket = 1;
    this.#server.on("dropRequest", (_, socket) => socket.destroy());
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on("clientError", (_, socket) => {
      if (socket.writable) socket.end(statusLine(400));
      else socket.destroy();
    });
  }

  /** @throws Error with code EADDRINUSE or EACCES for a port that is not available. */
  static async start(options: HubOptions): Promise<Hub> {
    const hub = new Hub(options);
    await new Promise<void>((resolve, reject) => {
      hub.#server.once("error", reject);
      hub.#server.listen(options.port ?? 0, "127.0.0.1", () => {
        hub.#server.off("error", reject);
        hub.#server.on("error", (error) => options.log(`the stream's server: ${error.message}`));
        resolve();
      });
    });
    // Does not keep an otherwise idle process alive.
    if (!options.pages) hub.#server.unref();
    return hub;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address ? address.port : 0;
  }

  /** Number of connected pages. */
  get pages(): number {
    return this.#sockets.clients.size;
  }

  /** A ticket with which one page of this origin may connect once. */
  ticket(origin: string): Ticket {
    this.#reader.warm();
    return { port: this.port, token: this.#tickets.issue(origin) };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.#reader.close();
  }

  /** A page of another site may reach this port under a name of its own: the request then contains that name. */
  #isLocal({ headers }: IncomingMessage): boolean {
    return /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(headers.host ?? "");
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const status = this.#refusal(request);
    if (status !== undefined) {
      socket.end(statusLine(status));
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (page) => this.#connect(page, request.socket));
  }

  /** The HTTP status that rejects a connection; undefined if it is accepted. Uses up the token. */
  #refusal(request: IncomingMessage): number | undefined {
    if (requestPath(request.url) === undefined) return 400;
    if (request.url !== streamPath || !this.#isLocal(request)) return 404;
    const [protocol, offered] = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((one) => one.trim());
    if (protocol !== subprotocol || !offered?.startsWith(tokenPrefix)) return 401;
    if (this.pages >= maxPages) return 503;
    return this.#tickets.use(offered.slice(tokenPrefix.length), request.headers.origin ?? "") ? undefined : 403;
  }

  #connect(page: WebSocket, socket: Socket): void {
    page.binaryType = "arraybuffer";
    const { roots, inspector, trusted, log, patience } = this.#options;
    const session = new Session(
      {
        send: (data, onSent) => page.send(data, onSent),
        refuse: (reason) => page.close(1008, reason),
      },
      {
        reader: this.#reader,
        exports: this.#exports,
        trusted,
        log,
        ...(roots ? { roots } : {}),
        ...(inspector ? { inspector } : {}),
      },
    );
    // The timer restarts whenever the other end has read some of a message, however large it is.
    socket.setTimeout(patience);
    socket.on("timeout", () => {
      if (page.bufferedAmount === 0) return;
      const reason = `it read nothing for ${patience / 1000} s`;
      log(`a page was disconnected: ${reason}`);
      page.close(1008, reason);
    });
    page.on("ping", (data) => {
      if (page.bufferedAmount <= maxUnread) page.pong(data);
    });
    page.on("message", (data, binary) => {
      if (page.readyState !== page.OPEN) return;
      if (binary) page.close(1003, "text only");
      else session.receive(Buffer.from(data as ArrayBuffer).toString("utf8"));
    });
    // A frame that is too large or malformed ends this connection, by itself.
    page.on("error", () => page.terminate());
    page.on("close", () => session.close());
  }
}
