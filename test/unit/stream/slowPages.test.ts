import { describe, expect, it, onTestFinished } from "vitest";
import { decodeFrame } from "../../../server/protocol/frame.ts";
import type { PageMessage } from "../../../server/protocol/stream.ts";
import { stagePaths } from "../../../server/runs/layout.ts";
import { maxUnread } from "../../../server/stream/outbox.ts";
import { ReaderClient } from "../../../server/stream/reader/client.ts";
import { Session } from "../../../server/stream/session.ts";
import { Turns } from "../../../server/stream/turns.ts";
import { writeManyMetrics } from "../../fixtures/manyMetrics.ts";
import { writeRun } from "../../fixtures/runFolder.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { origin, Page, readerProgram, startHub } from "./support.ts";

const steps = 80_000;

function longRun() {
  const { root, run, keyOf } = writeRun(temporaryFolder());
  writeManyMetrics(stagePaths(root, keyOf("seed")).metrics, steps);
  const series = [{ root, key: keyOf("seed") }];
  const open: PageMessage = { type: "open", id: 1, runs: [{ root, run }] };
  const exportOf = (id: number): PageMessage => ({ type: "export", id, series, axis: "step", fromZero: false });
  return { root, run, open, exportOf };
}

/** The end of a connection whose other end reads only when it is told to. */
class SlowPage {
  readonly messages: { type: string; id: number }[] = [];
  /** Frames: the id of their question and their rows. */
  readonly frames: { id: number; rows: number }[] = [];
  readonly refused: string[] = [];
  unread = 0;
  maxUnread = 0;
  /** Called after something was sent. */
  heard: () => void = () => {};
  readonly #gone: (() => void)[] = [];
  readonly session: Session;

  constructor(reader: ReaderClient, exports: Turns) {
    this.session = new Session(
      { send: (data, gone) => this.#take(data, gone), refuse: (reason) => this.refused.push(reason) },
      { reader, exports, trusted: () => true, log: (text) => this.refused.push(text) },
    );
    onTestFinished(() => this.session.close());
  }

  #take(data: string | ArrayBuffer, gone: () => void): void {
    const bytes = typeof data === "string" ? data.length : data.byteLength;
    this.unread += bytes;
    this.maxUnread = Math.max(this.maxUnread, this.unread);
    this.#gone.push(() => {
      this.unread -= bytes;
      gone();
    });
    if (typeof data === "string") this.messages.push(JSON.parse(data));
    else {
      const frame = decodeFrame(data);
      const rows = frame.kind === "text" ? new TextDecoder().decode(frame.bytes).split("\r\n").length - 1 : 0;
      this.frames.push({ id: frame.id, rows });
    }
    this.heard();
  }

  send(message: PageMessage): void {
    this.session.receive(JSON.stringify(message));
  }

  /** Reads everything that is there. */
  read(): void {
    for (const gone of this.#gone.splice(0)) gone();
  }

  /** Resolves when `look` is true; it looks after each message. */
  until(look: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.heard = () => {
        if (look()) resolve();
      };
      this.heard();
    });
  }
}

function startReader(): ReaderClient {
  const reader = new ReaderClient(readerProgram);
  onTestFinished(() => reader.close());
  return reader;
}

describe("a page that reads slowly", () => {
  it("has never more to read than the bound and one message, however much it asks for, and gets all of it", async () => {
    const { open, exportOf } = longRun();
    const page = new SlowPage(startReader(), new Turns(4));
    page.send(open);
    await page.until(() => page.messages.some(({ type }) => type === "opened"));
    const ids = Array.from({ length: 6 }, (_, index) => index + 10);
    const all = page.until(() => {
      // Nothing is read until nothing more is sent.
      if (page.unread > maxUnread) setImmediate(() => page.read());
      return page.messages.filter(({ type }) => type === "done").length === ids.length;
    });
    for (const id of ids) page.send(exportOf(id));
    await all;
    expect(page.maxUnread).toBeGreaterThan(maxUnread);
    expect(page.maxUnread).toBeLessThan(maxUnread + 2e6);
    const rows = new Map(ids.map((id) => [id, 0]));
    for (const frame of page.frames) rows.set(frame.id, rows.get(frame.id)! + frame.rows);
    expect([...rows.values()]).toEqual(ids.map(() => steps + 1));
    // One export after the other.
    expect(page.frames.map(({ id }) => id)).toEqual(page.frames.map(({ id }) => id).toSorted((a, b) => a - b));
    expect(page.refused).toEqual([]);
  });

  it("that asks without end is refused, and nothing waits for it", async () => {
    const { open, exportOf } = longRun();
    const page = new SlowPage(startReader(), new Turns(4));
    page.send(open);
    for (let id = 10; id < 1100; id++) page.send(exportOf(id));
    expect(page.refused[0]).toBe("more than 1024 questions at once");
  });

  it("holds up no other page, beyond the number of exports at once", async () => {
    const { open, exportOf } = longRun();
    const [reader, exports] = [startReader(), new Turns(2)];
    const pages = [1, 2, 3].map(() => new SlowPage(reader, exports));
    const [first, second, third] = pages as [SlowPage, SlowPage, SlowPage];
    for (const page of pages) {
      page.send(open);
      await page.until(() => page.messages.some(({ type }) => type === "opened"));
    }
    for (const page of [first, second]) {
      page.send(exportOf(3));
      await page.until(() => page.unread > maxUnread);
    }
    // The third is answered everything but its export, which waits for the end of one of the others.
    third.send(exportOf(3));
    third.send({ type: "runs", id: 4, roots: [] });
    await third.until(() => third.messages.some(({ type, id }) => type === "done" && id === 4));
    third.send({ type: "statistics", id: 5, measure: "loss", series: [], axis: "step", fromZero: false });
    await third.until(() => third.messages.some(({ type, id }) => type === "done" && id === 5));
    expect(third.frames).toEqual([]);
    first.session.close();
    await third.until(() => third.frames.length > 0);
  });
});

describe("a connection", () => {
  it("that reads nothing is closed with a reason; one that has nothing to read stays", async () => {
    const { open, exportOf } = longRun();
    const { hub, logged } = await startHub({ patience: 300 });
    const idle = new Page(hub.ticket(origin));
    await idle.opened();
    const page = new Page(hub.ticket(origin));
    await page.opened();
    page.send(open);
    await page.next("opened");
    page.socket.pause();
    // More than the system's own buffers hold.
    for (let id = 10; id < 14; id++) page.send(exportOf(id));
    await expect
      .poll(() => logged, { timeout: 50_000 })
      .toEqual(["a page was disconnected: it read nothing for 0.3 s"]);
    page.socket.resume();
    expect(await page.until(() => page.ended)).toBe(1008);
    idle.send({ type: "runs", id: 1, roots: [] });
    expect(await idle.next("done")).toEqual({ type: "done", id: 1 });
  });

  it("that is cut off because the server closes, in the middle of its answers, is not logged", async () => {
    const { root, run, exportOf } = longRun();
    const { hub, logged } = await startHub();
    const page = new Page(hub.ticket(origin));
    await page.opened();
    page.send({ type: "open", id: 1, runs: [{ root, run }] });
    await page.next("opened");
    for (let id = 10; id < 20; id++) page.send(exportOf(id));
    await page.until(() => page.frames.length > 0);
    await hub.close();
    await page.until(() => page.ended !== undefined);
    expect(logged).toEqual([]);
  });
});
