import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { maxBytes } from "../../../server/protocol/stream.ts";
import type { Hub } from "../../../server/stream/hub.ts";
import { writeRun } from "../../fixtures/runFolder.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { origin, Page, startHub } from "./support.ts";

/** It takes a good page and answers it. */
async function lives(hub: Hub): Promise<void> {
  const page = new Page(hub.ticket(origin));
  await page.opened();
  page.send({ type: "open", id: 1, runs: [] });
  expect(await page.next("opened")).toEqual({ type: "opened", id: 1, runs: [] });
  page.socket.close();
  await page.until(() => page.ended);
}

/** Ends without having begun, with this status. */
async function refused(page: Page, status: number): Promise<void> {
  expect(await page.until(() => page.ended)).toBe(status);
}

describe("the hub lets in", () => {
  it("a page with a token, from the origin it was given for", async () => {
    const { hub } = await startHub();
    await lives(hub);
    expect(hub.port).toBeGreaterThan(0);
  });

  it("nobody without a token, with a wrong one, or with one that was used", async () => {
    const { hub } = await startHub();
    const { port } = hub.ticket(origin);
    const bare = new WebSocket(`ws://127.0.0.1:${port}/stream`, { origin });
    onTestFinished(() => bare.terminate());
    const status = await new Promise((resolve) => {
      bare.on("unexpected-response", (_, response) => resolve(response.statusCode));
      bare.on("error", () => {});
    });
    expect(status).toBe(401);
    await refused(new Page({ port, token: "A".repeat(43) }), 403);
    await refused(new Page({ port, token: "" }), 403);
    const ticket = hub.ticket(origin);
    const first = new Page(ticket);
    await first.opened();
    await refused(new Page(ticket), 403);
    expect(first.ended).toBeUndefined();
    await lives(hub);
  });

  it("nobody from another origin, or from none", async () => {
    const { hub } = await startHub();
    for (const from of ["https://example.com", "vscode-webview://other", "http://127.0.0.1:1", "null"])
      await refused(new Page(hub.ticket(origin), from), 403);
    await refused(new Page(hub.ticket(origin), null), 403);
    await lives(hub);
  });

  it("nobody who calls it by another name, as a site does that has its name lead here", async () => {
    const { hub } = await startHub();
    const { port, token } = hub.ticket(origin);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/stream`, ["btx-stream", `btx-token.${token}`], {
      origin,
      headers: { host: `attacker.example:${port}` },
    });
    const status = await new Promise((resolve) => {
      socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
      socket.on("error", () => {});
    });
    socket.terminate();
    expect(status).toBe(404);
  });

  it("no more than 64 pages of 200 that come at once, and lives", async () => {
    const { hub } = await startHub();
    const pages = Array.from({ length: 200 }, () => new Page(hub.ticket(origin)));
    const open = (page: Page) => page.socket.readyState === WebSocket.OPEN;
    await Promise.all(pages.map((page) => page.until(() => open(page) || page.ended !== undefined)));
    expect(pages.filter(open)).toHaveLength(64);
    expect(hub.pages).toBe(64);
    expect(new Set(pages.filter((page) => !open(page)).map(({ ended }) => ended))).toEqual(new Set([503]));
    for (const page of pages) page.socket.terminate();
    await expect.poll(() => hub.pages, { timeout: 20_000 }).toBe(0);
    await lives(hub);
  });

  it("nobody over another path or protocol, and answers nothing else", async () => {
    const { hub } = await startHub();
    const { port, token } = hub.ticket(origin);
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${port}/stream`)).status).toBe(404);
    for (const [path, protocol] of [
      ["/", "btx-stream"],
      ["/stream?x", "btx-stream"],
      ["/stream", "other"],
    ] as const) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, [protocol, `btx-token.${token}`], { origin });
      const ended = await new Promise((resolve) => {
        socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
        socket.on("error", () => {});
      });
      socket.terminate();
      expect(ended).toBe(protocol === "other" ? 401 : 404);
    }
    await lives(hub);
  });
});

describe("what is malformed ends its own connection and no other:", () => {
  const cases: [what: string, code: number, send: (page: Page) => void][] = [
    ["text that is no JSON", 1008, ({ socket }) => socket.send("nonsense")],
    ["a message of no known kind", 1008, ({ socket }) => socket.send('{"type":"delete","run":"all"}')],
    [
      "a known message with a wrong key",
      1008,
      ({ socket }) => socket.send('{"type":"open","id":1,"runs":[{"root":"x"}]}'),
    ],
    ["a known message with one key more", 1008, ({ socket }) => socket.send('{"type":"cancel","id":1,"now":true}')],
    ["a view that is too wide", 1008, (page) => page.send({ ...view, columns: 1e9 })],
    ["a view of an empty range", 1008, (page) => page.send({ ...view, range: [5, 5] })],
    ["bytes", 1003, ({ socket }) => socket.send(Buffer.from([1, 2, 3]))],
    ["a message that is too large", 1009, ({ socket }) => socket.send("x".repeat(maxBytes + 1))],
    ["text that is no UTF-8", 1007, ({ socket }) => socket.send(Buffer.from([0xff, 0xfe]), { binary: false })],
  ];
  const view = {
    type: "view" as const,
    id: 1,
    series: [],
    measures: [],
    axis: "step" as const,
    fromZero: false,
    columns: 10,
    smoothing: 1,
  };

  it.each(cases)("%s", async (_, code, send) => {
    const { hub, logged } = await startHub();
    const other = new Page(hub.ticket(origin));
    await other.opened();
    const page = new Page(hub.ticket(origin));
    await page.opened();
    send(page);
    // A frame against the protocol is not answered, only cut off.
    expect([code, 1006]).toContain(await page.until(() => page.ended));
    expect(other.ended).toBeUndefined();
    expect(logged).toEqual([]);
    await lives(hub);
  });

  it("frames against the protocol itself, and bytes that are no HTTP", async () => {
    const { hub } = await startHub();
    const page = new Page(hub.ticket(origin));
    await page.opened();
    // A frame with reserved bits, then an unmasked one.
    (page.socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(
      Buffer.from([0xff, 0x7f, 1, 2]),
    );
    expect(await page.until(() => page.ended)).toBeGreaterThan(1000);
    for (const bytes of [Buffer.from("\0\xff\x01nothing\r\n\r\n", "latin1"), Buffer.alloc(200_000, 65)]) {
      const socket = connect(hub.port, "127.0.0.1");
      await new Promise<void>((resolve) => {
        socket.on("error", () => {});
        socket.on("close", () => resolve());
        socket.resume();
        socket.write(bytes);
        socket.end();
      });
    }
    await lives(hub);
  });
});

describe("a page", () => {
  it("is told why a run cannot be read, and reads none outside of run folders", async () => {
    const { hub } = await startHub();
    const { root } = writeRun(temporaryFolder());
    const page = new Page(hub.ticket(origin));
    await page.opened();
    page.send({
      type: "open",
      id: 1,
      runs: [
        { root, run: "20200101-000000" },
        { root, run: "../../etc" },
      ],
    });
    const { runs } = await page.next("opened");
    expect(runs.map(({ problem }) => problem)).toEqual([
      expect.stringContaining("there is no run 20200101-000000"),
      expect.stringContaining("is not the name of a run"),
    ]);
  });

  it("of a hub that serves some run folders reads no others", async () => {
    const [served, other] = [writeRun(temporaryFolder()), writeRun(temporaryFolder())];
    const { hub } = await startHub({ roots: [served.root] });
    const page = new Page(hub.ticket(origin));
    await page.opened();
    page.send({ type: "runs", id: 1, roots: [other.root] });
    expect((await page.next("runs")).runs.map(({ root }) => root)).toEqual([served.root]);
    page.send({ type: "open", id: 2, runs: [{ root: other.root, run: other.run }] });
    expect(await page.next("problem")).toMatchObject({ id: 2, text: expect.stringContaining("are not served here") });
  });
});
