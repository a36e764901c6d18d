import { randomBytes } from "node:crypto";
import { env, Uri, type WebviewPanel, window, workspace } from "vscode";
import type { WebSocket } from "ws";
import type { PageName, Start, ToHost, ToPage } from "../../server/protocol/page.ts";
import type { Ticket } from "../../server/protocol/stream.ts";
import type { Studio } from "../studio.ts";

/** Loaded lazily to keep activation fast. */
const heavy = () => import("../heavy.ts");

/**
 * A page that streams from the backend, in a panel. The page connects to the backend directly if it can; if not, as
 * over some remotes, the panel relays its messages and frames. VS Code discards a hidden page and reloads it when it
 * is shown; the page then requests everything again.
 */
export class LivePage {
  readonly panel: WebviewPanel;
  readonly #studio: Studio;
  readonly #page: PageName;
  readonly #open: (page: PageName, start: Start) => void;
  readonly #folder: Uri;
  /** What the page shows first, until it has received it. */
  #start: Start | undefined;
  /** The port that the page's content security policy allows. */
  #port: number | undefined;
  #relay: WebSocket | undefined;

  /** @param open opens another page. */
  constructor(
    studio: Studio,
    panel: WebviewPanel,
    page: PageName,
    start: Start | undefined,
    open: (page: PageName, start: Start) => void,
  ) {
    this.panel = panel;
    this.#studio = studio;
    this.#page = page;
    this.#open = open;
    this.#start = start;
    this.#folder = Uri.joinPath(studio.context.extensionUri, "dist/webview");
    panel.webview.options = { enableScripts: true, localResourceRoots: [this.#folder] };
    panel.webview.onDidReceiveMessage((given: unknown) => void this.#receive(given));
    panel.onDidChangeViewState(() => {
      if (!panel.visible) this.#closeRelay();
    });
    panel.onDidDispose(() => this.#closeRelay());
    void this.#load();
  }

  /** Reveals the page and changes its subject. */
  show(start: Start): void {
    this.#start = start;
    this.panel.reveal();
    this.#sendStart();
  }

  /** Writes the page; its policy names the port of the running backend. */
  async #load(): Promise<void> {
    const ticket = await this.#ticket("btx-studio://relay").catch(() => undefined);
    await this.#write(ticket && (await this.#address(ticket.port)), ticket?.port);
  }

  async #write(address: string | undefined, port: number | undefined): Promise<void> {
    const { pageText } = await heavy();
    const { webview } = this.panel;
    this.#port = port;
    const at = (name: string) => webview.asWebviewUri(Uri.joinPath(this.#folder, name)).toString();
    webview.html = pageText(`${this.#page}-page`, {
      title: this.panel.title,
      script: at(`${this.#page}.js`),
      styles: [at(`${this.#page}-style.css`)],
      connect: address === undefined ? [] : [address.replace(/\/stream$/, "")],
      resources: [webview.cspSource],
      nonce: randomBytes(18).toString("base64url"),
    });
  }

  #ticket(origin: string): Promise<Ticket> {
    return this.#studio.backend.request("btx/openStream", { origin });
  }

  /**
   * The address at which the page reaches a port of the backend's machine; undefined if it cannot. Addresses that
   * lead to another machine than the page's, such as a proxy, are not tried.
   */
  async #address(port: number): Promise<string | undefined> {
    const local = `ws://127.0.0.1:${port}/stream`;
    if (env.remoteName === undefined) return local;
    const outside = await env.asExternalUri(Uri.parse(`http://127.0.0.1:${port}/stream`));
    const isHere = (authority: string) => /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(authority);
    if (isHere(outside.authority) && outside.path === "/stream") return `ws://${outside.authority}/stream`;
    // The server and the browser are on one machine.
    return isHere(env.remoteName) ? local : undefined;
  }

  async #receive(given: unknown): Promise<void> {
    const { toHostSchema } = await heavy();
    const { success, data } = toHostSchema.safeParse(given);
    if (success) await this.#answer(data);
    else this.#studio.backend.log.warn(`a page sent an invalid message: ${JSON.stringify(given)?.slice(0, 200)}`);
  }

  async #answer(message: ToHost): Promise<void> {
    switch (message.type) {
      case "ready":
        this.#closeRelay();
        return this.#sendStart();
      case "ticket":
        return this.#sendTicket(message.origin);
      case "relay":
        return this.#openRelay();
      case "send":
        this.#relay?.send(message.text);
        return;
      case "save":
        return this.#save(message);
      case "title":
        this.panel.title = message.text;
        return;
      case "open":
        this.#open(message.page, message.start);
    }
  }

  #send(message: ToPage): void {
    void this.panel.webview.postMessage(message);
  }

  #sendStart(): void {
    const roots = this.#studio.experiments.runFolders;
    this.#send({ type: "start", start: { roots, ...(this.#start ?? { runs: [] }) } });
    this.#start = undefined;
  }

  async #sendTicket(origin: string): Promise<void> {
    try {
      const { port, token } = await this.#ticket(origin);
      const address = await this.#address(port);
      // After a restart the backend has a new port, which the page's policy does not allow yet.
      if (address !== undefined && this.#port !== port) return await this.#write(address, port);
      this.#send({ type: "ticket", ...(address === undefined ? {} : { url: address, token }) });
    } catch {
      this.#send({ type: "ticket" });
    }
  }

  /** Connects on behalf of the page. */
  async #openRelay(): Promise<void> {
    this.#closeRelay();
    try {
      const { streamPath, subprotocol, tokenPrefix, WebSocket } = await heavy();
      const { port, token } = await this.#ticket("btx-studio://relay");
      const protocols = [subprotocol, `${tokenPrefix}${token}`];
      const socket = new WebSocket(`ws://127.0.0.1:${port}${streamPath}`, protocols, { origin: "btx-studio://relay" });
      this.#relay = socket;
      socket.binaryType = "arraybuffer";
      socket.on("open", () => this.#send({ type: "relay", open: true }));
      socket.on("message", (data, binary) => {
        if (socket === this.#relay)
          this.#send({ type: "message", data: binary ? (data as ArrayBuffer) : String(data) });
      });
      socket.on("error", () => {});
      socket.on("close", () => {
        if (socket === this.#relay) this.#send({ type: "relay", open: false });
      });
    } catch {
      this.#send({ type: "relay", open: false });
    }
  }

  #closeRelay(): void {
    const socket = this.#relay;
    this.#relay = undefined;
    socket?.close();
  }

  async #save({ id, name, bytes }: Extract<ToHost, { type: "save" }>): Promise<void> {
    try {
      const folder = workspace.workspaceFolders?.[0]?.uri;
      const plain = name.replaceAll(/[/\\]/g, "-");
      const kind = plain.split(".").at(-1) ?? "";
      const chosen = await window.showSaveDialog({
        filters: { [kind.toUpperCase()]: [kind] },
        ...(folder ? { defaultUri: Uri.joinPath(folder, plain) } : {}),
      });
      if (chosen) await workspace.fs.writeFile(chosen, bytes);
      this.#send({ type: "saved", id, ...(chosen ? { place: workspace.asRelativePath(chosen) } : {}) });
    } catch (error) {
      this.#send({ type: "saved", id, problem: error instanceof Error ? error.message : String(error) });
    }
  }
}
