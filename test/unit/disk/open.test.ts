import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openRegular, openRegularSync, readBounded, readBoundedSync } from "../../../server/disk/open.ts";
import { UserError } from "../../../server/protocol/errors.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "btx-open-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ways: [string, (path: string, maxBytes: number) => Promise<Buffer>][] = [
  ["readBounded", readBounded],
  ["readBoundedSync", async (path, maxBytes) => readBoundedSync(path, maxBytes)],
];

describe.each(ways)("%s", (_, read) => {
  test("gives the bytes of a file, an empty one too", async () => {
    const path = join(folder, "a");
    for (const text of ["", "hello", "x".repeat(200_000)]) {
      writeFileSync(path, text);
      expect((await read(path, 200_000)).toString()).toBe(text);
    }
  });

  test("refuses a file of more bytes than allowed, and takes one of as many", async () => {
    const path = join(folder, "a");
    writeFileSync(path, Buffer.alloc((1 << 20) + 1));
    await expect(read(path, 1 << 20)).rejects.toThrow(`${path} is larger than 1 MiB`);
    expect(await read(path, (1 << 20) + 1)).toHaveLength((1 << 20) + 1);
  });

  test.skipIf(process.platform === "win32")(
    "refuses a named pipe, a device, a folder and a socket at once",
    async () => {
      const pipe = join(folder, "pipe");
      expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
      const zero = join(folder, "zero");
      symlinkSync("/dev/zero", zero);
      mkdirSync(join(folder, "sub"));
      const socket = join(folder, "socket");
      const server = createServer().listen(socket);
      await new Promise((resolve) => server.once("listening", resolve));
      try {
        for (const [path, kind] of [
          [pipe, /is a named pipe, but must be a regular file: /],
          [zero, /is a device, but must be a regular file: /],
          [join(folder, "sub"), /is a folder, but must be a regular file: /],
          [socket, /is a socket.* must be a regular file: /],
        ] as const) {
          const error = await read(path, 1 << 20).catch((thrown: unknown) => thrown);
          expect(error).toBeInstanceOf(UserError);
          expect((error as Error).message).toMatch(kind);
        }
      } finally {
        server.close();
      }
    },
  );

  test.runIf(process.platform === "linux")(
    "reads a file that reports no size, as below /proc, within its bound",
    async () => {
      expect((await read("/proc/self/status", 1 << 20)).toString()).toMatch(/^Name:/);
      await expect(read("/proc/self/status", 10)).rejects.toThrow("is larger than");
    },
  );

  test("a missing file keeps its code, for callers that take it for an empty one", async () => {
    await expect(read(join(folder, "none"), 10)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

test("openRegular and openRegularSync refuse what is not a regular file", async () => {
  await expect(openRegular(folder)).rejects.toThrow("must be a regular file");
  expect(() => openRegularSync(folder)).toThrow("must be a regular file");
});
