import type { PageName, Start } from "../server/protocol/page.ts";

/** What shows a page: a panel of the editor, or a browser. Pages know it by this interface only. */
export interface Host {
  /** Calls `listen` with the page's subject, and again whenever the subject changes. */
  onStart(listen: (start: Start) => void): void;
  /** Opens a connection to the backend. @throws Error if the backend cannot be reached. */
  connect(events: ConnectionEvents): Promise<Connection>;
  /** The state that the page saved with `keep`. */
  readonly kept: unknown;
  keep(state: object): void;
  /** Lets the user save a file. @returns where it was saved; undefined if the user cancelled. */
  save(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined>;
  title(text: string): void;
  open(page: PageName, start: Start): void;
}

/** A connection to the backend. */
export interface Connection {
  send(text: string): void;
  close(): void;
}

export interface ConnectionEvents {
  message(data: string | ArrayBuffer): void;
  /** The connection was open and has closed. */
  closed(): void;
}
