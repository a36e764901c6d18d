import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { decodeFrame, type Frame } from "../../../server/protocol/frame.ts";
import {
  type HubMessage,
  hubMessageSchema,
  type PageMessage,
  streamPath,
  subprotocol,
  type Ticket,
  tokenPrefix,
} from "../../../server/protocol/stream.ts";
import { Hub, type HubOptions } from "../../../server/stream/hub.ts";

/** A hub, and pages that are nothing but a socket. */

export const readerProgram = new URL("../../../server/stream/reader/main.ts", import.meta.url);
export const origin = "vscode-webview://1abc2def";

/** A hub that is closed when the test ends, and what it logged. */
export async function startHub(options: Partial<HubOptions> = {}): Promise<{ hub: Hub; logged: string[] }> {
  const logged: string[] = [];
  const hub = await Hub.start({
    reader: readerProgram,
    trusted: () => true,
    log: (text) => logged.push(text),
    ...options,
  });
  onTestFinished(() => hub.close());
  return { hub, logged };
}

/** A page's end of a stream. */
export class Page {
  readonly socket: WebSocket;
  readonly messages: HubMessage[] = [];
  readonly frames: Frame[] = [];
  /** The code with which the stream ended; the status of HTTP where it never began. */
  ended: number | undefined;
  #heard: (() => void)[] = [];

  /** @param from the origin; null for none. */
  constructor({ port, token }: Ticket, from: string | null = origin) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${streamPath}`, [subprotocol, `${tokenPrefix}${token}`], {
      ...(from === null ? {} : { origin: from }),
    });
    this.socket.binaryType = "arraybuffer";
    this.socket.on("message", (data, binary) => {
      if (binary) this.frames.push(decodeFrame(data as ArrayBuffer));
      else this.messages.push(hubMessageSchema.parse(JSON.parse(String(data))));
      this.#tell();
    });
    this.socket.on("open", () => this.#tell());
    this.socket.on("unexpected-response", (_, response) => {
      this.ended = response.statusCode;
      this.socket.terminate();
      this.#tell();
    });
    this.socket.on("close", (code) => {
      this.ended ??= code;
      this.#tell();
    });
    this.socket.on("error", () => {});
    onTestFinished(() => this.socket.terminate());
  }

  #tell(): void {
    for (const heard of this.#heard.splice(0)) heard();
  }

  /** Waits until `look` gives something; it looks again at everything that is heard. */
  async until<T>(look: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined && found !== false) return found;
      await new Promise<void>((resolve) => this.#heard.push(resolve));
    }
  }

  opened(): Promise<boolean> {
    return this.until(
      () => this.socket.readyState === WebSocket.OPEN || (this.ended !== undefined ? false : undefined),
    );
  }

  send(message: PageMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  /** The next message of a kind after those there are now. */
  next<K extends HubMessage["type"]>(type: K): Promise<Extract<HubMessage, { type: K }>> {
    const from = this.messages.length;
    return this.until(() => this.messages.slice(from).find((message) => message.type === type)) as Promise<
      Extract<HubMessage, { type: K }>
    >;
  }

  /** Opens a run and looks at the loss of a stage until that is its last value. */
  async see(root: string, run: string, key: string, loss: number): Promise<void> {
    this.send({ type: "open", id: 1, runs: [{ root, run }] });
    await this.next("opened");
    const view = { axis: "step", fromZero: false, columns: 100, smoothing: 1 } as const;
    this.send({ type: "view", id: 2, series: [{ root, key }], measures: ["loss"], ...view });
    await this.until(() => this.points(2).some(({ lines }) => lines.some(({ y }) => y.at(-1) === loss)));
  }

  /** Frames of points of a view. */
  points(id: number): Extract<Frame, { kind: "points" }>[] {
    return this.frames.filter((frame) => frame.kind === "points").filter((frame) => frame.id === id);
  }
}
