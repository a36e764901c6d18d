import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expandFiles, hashFiles } from "../../../server/data/files.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import { folderWith } from "./support.ts";

const tree = {
  "work/a.txt": "a",
  "work/deep/b.txt": "b",
  "work/deep/c.md": "c",
  "work/.hidden/d.txt": "d",
  "work/empty.txt": "",
  "work/picture.png": Buffer.from([0x89, 0x50, 0, 1]),
  "work/node_modules/p/README.md": "p",
  "node_modules/q/README.md": "q",
  "node_modules/q/node_modules/r/README.md": "r",
};
const within = (root: string, files: string[]) => files.map((file) => file.slice(root.length + 1));

test("a glob gives sorted absolute paths, each once, also through .. and node_modules", async () => {
  const root = folderWith(tree);
  const files = await expandFiles(["**/*.txt", "a.txt", "../node_modules/**/README.md"], join(root, "work"));
  expect(within(root, files)).toEqual([
    "node_modules/q/README.md",
    "node_modules/q/node_modules/r/README.md",
    "work/a.txt",
    "work/deep/b.txt",
    "work/empty.txt",
  ]);
});

test("a folder stands for the text files below it, not hidden, empty, binary or installed ones", async () => {
  const root = folderWith(tree);
  expect(within(root, await expandFiles("work", root))).toEqual(["work/a.txt", "work/deep/b.txt", "work/deep/c.md"]);
  expect(within(root, await expandFiles("node_modules/q", root))).toEqual(["node_modules/q/README.md"]);
});

test("an absolute pattern and a file whose name looks like a glob are understood", async () => {
  const root = folderWith({ "[x] (1).txt": "x", ".env": "e" });
  expect(within(root, await expandFiles("[x] (1).txt", root))).toEqual(["[x] (1).txt"]);
  expect(within(root, await expandFiles(join(root, "*.txt"), "/"))).toEqual(["[x] (1).txt"]);
  expect(within(root, await expandFiles(".env", root))).toEqual([".env"]);
});

test("a pattern with ! takes files away from globs, folders and files", async () => {
  const root = folderWith(tree);
  const base = join(root, "work");
  expect(within(root, await expandFiles(["**/*.txt", "!deep/**", "!empty.txt"], base))).toEqual(["work/a.txt"]);
  expect(within(root, await expandFiles([".", "!**/*.txt"], base))).toEqual(["work/deep/c.md"]);
  const all = await expandFiles(["../node_modules/**/*.md", "!../node_modules/q/R*"], base);
  expect(within(root, all)).toEqual(["node_modules/q/node_modules/r/README.md"]);
  await expect(expandFiles(["a.txt", "!*.txt"], base)).rejects.toThrow("excludes it");
});

test("patterns that name nothing are refused in a sentence that names them", async () => {
  const root = folderWith({ "a.txt": "a", "bin/x": Buffer.from([0]) });
  await expect(expandFiles("*.md", root)).rejects.toThrow(new UserError(`no file matches "*.md" in ${root}`));
  await expect(expandFiles("b.txt", root)).rejects.toThrow(new UserError(`${join(root, "b.txt")} does not exist`));
  await expect(expandFiles("bin", root)).rejects.toThrow("contains no text files");
  await expect(expandFiles([], root)).rejects.toThrow(UserError);
  await expect(expandFiles("~/a.txt", root)).rejects.toThrow("does not exist");
});

test("a folder with a link to itself is walked to an end", async () => {
  const root = folderWith({ "data/a.txt": "a" });
  symlinkSync(join(root, "data"), join(root, "data", "loop"));
  const files = await expandFiles("data", root);
  expect(within(root, files)).toContain("data/a.txt");
});

test("the hash of files depends on their contents, order and boundaries, not on their names", async () => {
  const root = folderWith({ a: "12", b: "3", c: "1", d: "23", e: "12", f: "3" });
  const hash = (...names: string[]) => hashFiles(names.map((name) => join(root, name)));
  expect(await hash("a", "b")).toBe(await hash("e", "f"));
  expect(await hash("a", "b")).not.toBe(await hash("c", "d"));
  expect(await hash("a", "b")).not.toBe(await hash("b", "a"));
  expect(await hash("a")).toMatch(/^[0-9a-f]{64}$/);
  await expect(hash("missing")).rejects.toThrow(UserError);
});
