import { type PageName, type Start, type ToHost, type ToPage, toPageSchema } from "../server/protocol/page.ts";
import type { Connection, ConnectionEvents, Host } from "./host.ts";
import { openSocket } from "./socket.ts";

interface VsCodeApi {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare const acquireVsCodeApi: (() => VsCodeApi) | undefined;

/** The panel of the editor that shows this page; undefined in a browser. */
export const vsCodeHost = (): Host | undefined =>
  typeof acquireVsCodeApi === "function" ? new VsCodeHost(acquireVsCodeApi()) : undefined;

type Kind = ToPage["type"];
type Message<K extends Kind> = Extract<ToPage, { type: K }>;

class VsCodeHost implements Host {
  readonly #api: VsCodeApi;
  readonly #waiting: { kind: Kind; accepts(message: ToPage): boolean }[] = [];
  #listen: (start: Start) => void = () => {};
  #relay: ConnectionEvents | undefined;
  /** The socket failed once and is not tried again. */
  #noSocket = false;
  #saves = 0;

  constructor(api: VsCodeApi) {
    this.#api = api;
    window.addEventListener("message", ({ data }) => {
      const message = toPageSchema.safeParse(data);
      if (message.success) this.#receive(message.data);
    });
  }

  get kept(): unknown {
    return this.#api.getState();
  }

  keep(state: object): void {
    this.#api.setState(state);
  }

  onStart(listen: (start: Start) => void): void {
    this.#listen = listen;
    this.#post({ type: "ready" });
  }

  title(text: string): void {
    this.#post({ type: "title", text });
  }

  open(page: PageName, start: Start): void {
    this.#post({ type: "open", page, start });
  }

  async save(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
    const id = this.#saves++;
    const saved = this.#next("saved", (message) => message.id === id);
    this.#post({ type: "save", id, name, bytes });
    const { place, problem } = await saved;
    if (problem !== undefined) throw new Error(problem);
    return place;
  }

  /** Connects by its own socket, or by messages relayed through the panel. */
  async connect(events: ConnectionEvents): Promise<Connection> {
    if (!this.#noSocket) {
      const ticket = this.#next("ticket");
      this.#post({ type: "ticket", origin: window.origin });
      const { url, token } = await ticket;
      if (url !== undefined && token !== undefined) {
        try {
          return await openSocket(url, token, events);
        } catch {
          // The page cannot reach the backend, as over some remotes.
        }
      }
      this.#noSocket = true;
    }
    return this.#openRelay(events);
  }

  async #openRelay(events: ConnectionEvents): Promise<Connection> {
    const opened = this.#next("relay");
    this.#post({ type: "relay" });
    if (!(await opened).open) throw new Error("The backend cannot be reached.");
    this.#relay = events;
    return {
      send: (text) => this.#post({ type: "send", text }),
      close: () => {
        this.#relay = undefined;
      },
    };
  }

  #post(message: ToHost): void {
    this.#api.postMessage(message);
  }

  #next<K extends Kind>(kind: K, fits: (message: Message<K>) => boolean = () => true): Promise<Message<K>> {
    return new Promise((resolve) => {
      this.#waiting.push({
        kind,
        accepts(message) {
          if (!fits(message as Message<K>)) return false;
          resolve(message as Message<K>);
          return true;
        },
      });
    });
  }

  #receive(message: ToPage): void {
    const at = this.#waiting.findIndex(({ kind, accepts }) => kind === message.type && accepts(message));
    if (at >= 0) this.#waiting.splice(at, 1);
    else if (message.type === "start") this.#listen(message.start);
    else if (message.type === "message") this.#relay?.message(message.data);
    else if (message.type === "relay" && !message.open) {
      const closed = this.#relay;
      this.#relay = undefined;
      closed?.closed();
    }
  }
}
