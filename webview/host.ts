import type { PageName, Start } from "../server/protocol/page.ts";

/** What shows a page: a panel of the editor, or a browser. This is all that pages know of it. */
export interface Host {
  /** What the page is about. Called again when it is to show something else. */
  onStart(listen: (start: Start) => void): void;
  /** Opens a connection to the backend. @throws Error when the backend cannot be reached. */
  link(events: LinkEvents): Promise<Link>;
  /** What the page has kept. */
  readonly kept: unknown;
  keep(state: object): void;
  /** Lets the person save a file. @returns where it was saved; undefined where it was not. */
  save(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined>;
  title(text: string): void;
  /** Opens another page. */
  open(page: PageName, start: Start): void;
}

/** A connection to the backend. */
export interface Link {
  send(text: string): void;
  close(): void;
}

export interface LinkEvents {
  message(data: string | ArrayBuffer): void;
  /** The connection was open and has closed. */
  closed(): void;
}
