import { type PageName, type Start, startSchema } from "../server/protocol/page.ts";
import { streamPath, ticketSchema } from "../server/protocol/stream.ts";
import type { Connection, ConnectionEvents, Host } from "./host.ts";
import { openSocket } from "./socket.ts";

const storageKey = "btx-studio";
const keptKey = () => `${storageKey}${location.pathname.replace(/^\/metrics$/, "/")}`;
/** Storage key for the start state that a page leaves for the page it opens. */
const openKey = `${storageKey}-open`;

/**
 * A browser that shows a page of `btx serve`. The URL contains a token that the page exchanges for a connection
 * ticket; the page removes it from the URL at once and keeps it for this tab.
 */
export class BrowserHost implements Host {
  readonly #token: string;
  /** The ticket for the first connection, requested at once since it does not depend on the page's subject. */
  #ticket: Promise<unknown> | undefined;

  constructor() {
    const address = new URL(location.href);
    const given = address.searchParams.get("token");
    if (given !== null) {
      sessionStorage.setItem(`${storageKey}-token`, given);
      address.searchParams.delete("token");
      history.replaceState(null, "", address);
    }
    this.#token = given ?? sessionStorage.getItem(`${storageKey}-token`) ?? "";
    this.#ticket = this.#ask("/ticket");
    // `connect` reports the error.
    this.#ticket.catch(() => {});
  }

  get kept(): unknown {
    try {
      return JSON.parse(localStorage.getItem(keptKey()) ?? "null");
    } catch {
      return undefined;
    }
  }

  keep(state: object): void {
    localStorage.setItem(keptKey(), JSON.stringify(state));
  }

  onStart(listen: (start: Start) => void): void {
    const opened = sessionStorage.getItem(openKey);
    sessionStorage.removeItem(openKey);
    if (opened !== null) {
      const { page, start } = JSON.parse(opened) as { page: PageName; start: unknown };
      if (location.pathname === `/${page}`) {
        listen(startSchema.parse(start));
        return;
      }
    }
    void this.#ask("/start").then(
      (answer) => listen(startSchema.parse(answer)),
      () => listen({ runs: [] }),
    );
  }

  async connect(events: ConnectionEvents): Promise<Connection> {
    const asked = this.#ticket ?? this.#ask("/ticket");
    this.#ticket = undefined;
    const { port, token } = ticketSchema.parse(await asked);
    return openSocket(`ws://${location.hostname}:${port}${streamPath}`, token, events);
  }

  async #ask(path: string): Promise<unknown> {
    const answer = await fetch(path, { method: "POST", headers: { authorization: `Bearer ${this.#token}` } });
    if (!answer.ok) throw new Error(`The backend answered ${answer.status}: open the address that it printed.`);
    return answer.json();
  }

  save(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes]));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    return Promise.resolve(name);
  }

  open(page: PageName, start: Start): void {
    sessionStorage.setItem(openKey, JSON.stringify({ page, start }));
    location.assign(`/${page}`);
  }

  title(text: string): void {
    document.title = text;
  }
}
