import type { HubMessage } from "../protocol/stream.ts";

/** Where the answer to one of a page's questions is sent. Nothing is sent after the question is cancelled. */
export interface Reply {
  send(message: HubMessage): void;
  frame(frame: ArrayBuffer): void;
  /** Resolves when the page has room for more. */
  ready(): Promise<void>;
  /** Aborted when the page no longer wants the answer. */
  readonly signal: AbortSignal;
}
