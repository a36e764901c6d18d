import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { expandFiles } from "../../../server/data/files.ts";
import { Search } from "../../../server/data/search.ts";
import { limitReach, OutOfReachError } from "../../../server/disk/reach.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import { folderWith } from "./support.ts";

const limits = { entries: 1000, characters: 1 << 20, ms: 60_000 };
const within = (root: string, files: string[]) => files.map((file) => file.slice(root.length + 1));
const failure = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

/** Folders `0` to `9` with ten files each: 110 entries. */
function hundredFiles(): string {
  const names = Array.from({ length: 100 }, (_, i) => `${i % 10}/${i}.txt`);
  return folderWith(Object.fromEntries(names.map((name) => [name, "x"])));
}

test("a search that looks at more entries than allowed ends with a sentence that names the pattern", async () => {
  const root = hundredFiles();
  expect(await expandFiles("**/*.txt", root, new Search({ limits: { ...limits, entries: 110 } }))).toHaveLength(100);
  const error = await failure(expandFiles("**/*.txt", root, new Search({ limits: { ...limits, entries: 109 } })));
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toMatch(/^"\*\*\/\*\.txt" would search more than 109 files and folders: name a /);
});

test("several patterns share the limits of one search", async () => {
  const root = hundredFiles();
  const search = new Search({ limits: { ...limits, entries: 25 } });
  expect(await expandFiles("3/*", root, search)).toHaveLength(10);
  expect(await expandFiles("4/*", root, search)).toHaveLength(10);
  expect(await failure(expandFiles("5/*", root, search))).toBeInstanceOf(UserError);
});

test("the memory for paths is limited", async () => {
  const root = hundredFiles();
  const search = new Search({ limits: { ...limits, characters: 50 * root.length } });
  const error = await failure(expandFiles("**", root, search));
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toMatch(/^the paths of the files that "\*\*" would search need too much memory: /);
});

test("a search that takes too long ends with a sentence that names the pattern", async () => {
  const error = await failure(expandFiles("**", hundredFiles(), new Search({ limits: { ...limits, ms: 0 } })));
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toMatch(/^"\*\*" was searched for 0 seconds without coming to an end: name a /);
});

test("a search is cancelled by its signal, before and while it runs", async () => {
  const root = hundredFiles();
  const reason = new Error("cancelled");
  const before = expandFiles("**", root, new Search({ signal: AbortSignal.abort(reason) }));
  expect(await failure(before)).toBe(reason);
  const controller = new AbortController();
  const running = expandFiles(root, root, new Search({ signal: controller.signal }));
  controller.abort(reason);
  expect(await failure(running)).toBe(reason);
});

test("links are followed, but not to a folder that contains them", async () => {
  const root = folderWith({ "a/a.txt": "a", "b/b.txt": "b", "work/w.txt": "w" });
  symlinkSync(join(root, "b"), join(root, "a", "to-b"));
  symlinkSync(join(root, "a"), join(root, "b", "to-a"));
  symlinkSync(join(root, "a"), join(root, "work", "to-a"));
  symlinkSync(root, join(root, "work", "up"));
  symlinkSync(join(root, "work"), join(root, "work", "self"));
  symlinkSync("/", join(root, "work", "everything"));
  expect(within(root, await expandFiles("work/**/*.txt", root))).toEqual([
    "work/to-a/a.txt",
    "work/to-a/to-b/b.txt",
    "work/w.txt",
  ]);
});

test("an empty named pipe, a socket or a device below a folder is no text, also behind a link", async () => {
  const root = folderWith({ "a.txt": "a" });
  if (process.platform !== "win32") {
    expect(spawnSync("mkfifo", [join(root, "pipe.txt")]).status).toBe(0);
    symlinkSync(join(root, "pipe.txt"), join(root, "link.txt"));
    symlinkSync("/dev/zero", join(root, "zero.txt"));
  }
  expect(within(root, await expandFiles(".", root))).toEqual(["a.txt"]);
});

test.skipIf(process.platform !== "linux")("files that the kernel makes up are refused by their name", async () => {
  for (const [pattern, kind] of [
    ["/proc/**", "proc"],
    ["/proc", "proc"],
    ["/sys/kernel/*", "sysfs"],
    ["/proc/cpuinfo", "proc"],
  ] as const) {
    const error = await failure(expandFiles(pattern, "/tmp"));
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toBe(
      `"${pattern}" names files that the kernel makes up (${kind}), not text: name a folder on a disk`,
    );
  }
});

test.skipIf(process.platform !== "linux")("a link to what the kernel makes up leads nowhere", async () => {
  const root = folderWith({ "a.txt": "a" });
  symlinkSync("/proc/self", join(root, "process"));
  expect(within(root, await expandFiles("**", root))).toEqual(["a.txt"]);
});

const shared = "/dev/shm";
const isMounted = existsSync(shared) && statSync(shared).dev !== statSync("/dev").dev;
test.skipIf(!isMounted)("a file system that is mounted below is searched only if a pattern names it", async () => {
  const other = mkdtempSync(join(shared, "btx-search-"));
  onTestFinished(() => rmSync(other, { recursive: true }));
  mkdirSync(join(other, "deep"));
  writeFileSync(join(other, "deep", "a.txt"), "a");
  const name = other.slice(shared.length + 1);
  const error = await failure(expandFiles(`**/${name}/**/*.txt`, "/dev"));
  expect((error as Error).message).toMatch(
    /^no file matches .+: folders on other disks are left out, such as \/dev\/\w+, unless a pattern names them$/,
  );
  expect(await expandFiles(`shm/${name}/**/*.txt`, "/dev")).toEqual([join(other, "deep", "a.txt")]);
  const root = folderWith({});
  symlinkSync(other, join(root, "link"));
  expect(within(root, await expandFiles("**/*.txt", root))).toEqual(["link/deep/a.txt"]);
});

test("where only some folders may be read, a search that would leave them is refused", async () => {
  const root = folderWith({ "in/a.txt": "a", "out/b.txt": "b" });
  limitReach(() => [join(root, "in")]);
  onTestFinished(() => limitReach(() => undefined));
  expect(within(root, await expandFiles("in/**", root))).toEqual(["in/a.txt"]);
  for (const pattern of ["out/**", "out", "out/b.txt", "*/a.txt", "../**"])
    expect(await failure(expandFiles(pattern, root))).toBeInstanceOf(OutOfReachError);
  symlinkSync(join(root, "out"), join(root, "in", "link"));
  expect(await failure(expandFiles("in/**", root))).toEqual(new OutOfReachError(join(root, "in", "link")));
  expect(await failure(expandFiles("in/li*", root))).toEqual(new OutOfReachError(join(root, "in", "link")));
  // What cannot match does not matter.
  expect(within(root, await expandFiles("in/*.txt", root))).toEqual(["in/a.txt"]);
  expect(within(root, await expandFiles("in/a.txt", root))).toEqual(["in/a.txt"]);
});
