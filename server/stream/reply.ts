import type { HubMessage } from "../protocol/stream.ts";

/**
 * Where the answer to one of a page's questions is sent. Sending waits until the page has read what was sent before;
 * nothing is sent after the question is cancelled.
 */
export interface Reply {
  send(message: HubMessage): Promise<void>;
  frame(frame: ArrayBuffer): Promise<void>;
  /** Resolves when the page has room for more, or no longer wants the answer. */
  room(): Promise<void>;
  /** Aborted when the page no longer wants the answer. */
  readonly signal: AbortSignal;
}
