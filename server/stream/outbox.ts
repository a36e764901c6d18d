/** A page that has more than this left to read is sent nothing, bytes. */
export const maxUnread = 4 << 20;

/** The other end of a connection. */
export interface Peer {
  /** @param onSent is called when the data has left this process or the connection has ended. */
  send(data: string | ArrayBuffer, onSent: () => void): void;
  /** Ends the connection because of what the page did. */
  refuse(reason: string): void;
}

interface Entry {
  /** Undefined: nothing is sent, the caller only waits for room. */
  data: string | ArrayBuffer | undefined;
  signal: AbortSignal;
  resolve(): void;
}

/** Everything that is sent to one page, in order. Senders wait until the page has read what was sent before. */
export class Outbox {
  readonly #peer: Peer;
  #queue: Entry[] = [];
  #unread = 0;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  /** Bytes that were sent and have not left this process. */
  get unread(): number {
    return this.#unread;
  }

  /** Sends when there is room; resolves then, or when the signal is aborted, after which nothing is sent. */
  send(data: string | ArrayBuffer, signal: AbortSignal): Promise<void> {
    return this.#wait(data, signal);
  }

  /** Resolves when there is room, or when the signal is aborted. */
  room(signal: AbortSignal): Promise<void> {
    return this.#wait(undefined, signal);
  }

  #wait(data: Entry["data"], signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((done) => {
      const leave = () => {
        this.#queue = this.#queue.filter((one) => one !== entry);
        done();
      };
      const resolve = () => {
        signal.removeEventListener("abort", leave);
        done();
      };
      const entry: Entry = { data, signal, resolve };
      signal.addEventListener("abort", leave, { once: true });
      this.#queue.push(entry);
      this.#advance();
    });
  }

  #advance(): void {
    while (this.#unread <= maxUnread) {
      const next = this.#queue.shift();
      if (!next) return;
      if (next.data !== undefined) this.#send(next.data);
      next.resolve();
    }
  }

  #send(data: string | ArrayBuffer): void {
    const bytes = typeof data === "string" ? Buffer.byteLength(data) : data.byteLength;
    this.#unread += bytes;
    this.#peer.send(data, () => {
      this.#unread -= bytes;
      this.#advance();
    });
  }
}
