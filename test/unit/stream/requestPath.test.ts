import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { Pages } from "../../../server/stream/pages.ts";
import { requestPath } from "../../../server/stream/requestPath.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { startHub } from "./support.ts";

/** The status line of the answer to a request with this target, byte for byte. */
function statusOf(port: number, target: string, headers = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () =>
      socket.write(
        `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n${headers}\r\n`,
        "latin1",
      ),
    );
    socket.setEncoding("latin1").on("data", (text) => {
      answer += text;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(answer.split("\r\n")[0] ?? ""));
  });
}

const noPaths = [
  "//",
  "//host/path",
  "http://[",
  "http://127.0.0.1/",
  "*",
  "/\0",
  "/a\0b",
  "/%00",
  "/a%00.js",
  "/%",
  "/%ff",
];

describe("the path of a request", () => {
  it("is decoded, without query and fragment", () => {
    expect(requestPath("/metrics?token=x#y")).toBe("/metrics");
    expect(requestPath("/?a=//")).toBe("/");
    expect(requestPath("/a%20b/../c")).toBe("/a b/../c");
  });

  it.each(noPaths)("is none for %j", (target) => {
    expect(requestPath(target)).toBeUndefined();
  });
});

describe("a server of pages", () => {
  const upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

  it("answers 400 to what is not a path, logs nothing of it, and serves the next request", async () => {
    const pages = new Pages(new URL(`file://${temporaryFolder()}/`), { runs: [] });
    const { hub, logged } = await startHub({ pages: (...asked) => pages.answer(...asked) });
    for (const target of noPaths) {
      expect(await statusOf(hub.port, target), JSON.stringify(target)).toBe("HTTP/1.1 400 Bad Request");
      expect(await statusOf(hub.port, target, upgrade), JSON.stringify(target)).toBe("HTTP/1.1 400 Bad Request");
    }
    expect(await statusOf(hub.port, "/nothing/../../etc/passwd")).toBe("HTTP/1.1 404 Not Found");
    expect(await statusOf(hub.port, "/")).toBe("HTTP/1.1 200 OK");
    expect(logged).toEqual([]);
  });

  it("answers at most one request of a connection, and closes it when more are sent", async () => {
    let asked = 0;
    const { hub } = await startHub({
      pages: (_hub, _path, _request, response) => {
        asked++;
        response.end("text");
      },
    });
    const socket = connect(hub.port, "127.0.0.1");
    const ended = new Promise((resolve) => socket.on("close", resolve));
    socket.on("error", () => {});
    socket.resume();
    socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${hub.port}\r\n\r\n`.repeat(100));
    await ended;
    expect(asked).toBe(1);
    expect(await statusOf(hub.port, "/")).toBe("HTTP/1.1 200 OK");
    expect(asked).toBe(2);
  });

  it("of the editor, which serves a stream only, answers 400 too", async () => {
    const { hub, logged } = await startHub();
    for (const target of noPaths)
      expect(await statusOf(hub.port, target), JSON.stringify(target)).toBe("HTTP/1.1 400 Bad Request");
    expect(await statusOf(hub.port, "/")).toBe("HTTP/1.1 404 Not Found");
    expect(logged).toEqual([]);
  });
});
