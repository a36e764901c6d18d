import { decodeFrame, type Frame } from "../server/protocol/frame.ts";
import { type HubMessage, hubMessageSchema, type PageMessage } from "../server/protocol/stream.ts";
import type { Connection, Host } from "./host.ts";

/** Delays between connection attempts, ms; the last one repeats. */
const waits = [200, 500, 1000, 2000, 4000];

export interface StreamEvents {
  /** Connected, for the first time or again; the backend does not know earlier messages. */
  connected(): void;
  disconnected(why: string): void;
  message(message: HubMessage): void;
  frame(frame: Frame): void;
}

/** A page's stream over its host's connection to the backend, reopened whenever it closes. */
export class Transport {
  readonly #host: Host;
  readonly #events: StreamEvents;
  #connection: Connection | undefined;
  #attempts = 0;
  #closed = false;

  constructor(host: Host, events: StreamEvents) {
    this.#host = host;
    this.#events = events;
    void this.#connect();
  }

  /** Sends a message if the stream is open. After `connected`, everything must be sent again. */
  send(message: PageMessage): void {
    this.#connection?.send(JSON.stringify(message));
  }

  close(): void {
    this.#closed = true;
    this.#connection?.close();
  }

  async #connect(): Promise<void> {
    while (!this.#closed && !this.#connection) {
      try {
        this.#connection = await this.#host.connect({
          message: (data) => this.#receive(data),
          closed: () => this.#lost("The connection to the backend was lost."),
        });
        this.#attempts = 0;
        this.#events.connected();
      } catch (error) {
        this.#events.disconnected(error instanceof Error ? error.message : String(error));
        const wait = waits[Math.min(this.#attempts++, waits.length - 1)];
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  #lost(why: string): void {
    if (!this.#connection) return;
    this.#connection = undefined;
    if (this.#closed) return;
    this.#events.disconnected(why);
    void this.#connect();
  }

  #receive(data: string | ArrayBuffer): void {
    try {
      if (typeof data !== "string") this.#events.frame(decodeFrame(data));
      else this.#events.message(hubMessageSchema.parse(JSON.parse(data)));
    } catch (error) {
      console.error("cannot read a message from the backend", error);
    }
  }
}
