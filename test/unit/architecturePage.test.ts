import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

/** docs/ARCHITECTURE.md names what is there. */

const root = new URL("../../", import.meta.url);
const page = readFileSync(new URL("docs/ARCHITECTURE.md", root), "utf8");
const isThere = (path: string): boolean => existsSync(new URL(path, root));
/** Paths of TypeScript files in a text, in backticks. */
const filesIn = (text: string): string[] => [...text.matchAll(/`([\w./-]+\/[\w.-]+\.ts)`/g)].map(([, path]) => path!);

/** The part of the page under a bold beginning, up to the next one. */
function walk(name: string): string {
  const start = page.indexOf(`**${name}`);
  const end = page.slice(start + 2).search(/^(\*\*|## )/m);
  return page.slice(start, start + 2 + end);
}

describe("the page on the architecture", () => {
  test("names files that are there, from the root or from a folder of code", () => {
    const places = ["", "server/", "server/engine/", "webview/"];
    const files = filesIn(page);
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter((path) => !places.some((place) => isThere(`${place}${path}`)))).toEqual([]);
  });

  test("has a row for every folder of the server, and no other", () => {
    const folders = readdirSync(new URL("server", root), { withFileTypes: true }).filter((one) => one.isDirectory());
    const rows = page.split("\n").filter((line) => line.startsWith("| `"));
    const named = rows.flatMap((row) => [...row.split("|")[1]!.matchAll(/`server\/(\w+)\/`/g)].map(([, name]) => name));
    expect(named.sort()).toEqual(folders.map(({ name }) => name).sort());
  });

  test("follows a routing number through at most 22 files", () => {
    const files = new Set(filesIn(walk("A routing number")));
    expect(files.size).toBeGreaterThan(10);
    expect(files.size).toBeLessThanOrEqual(22);
  });

  test("follows a batch, a key and a click as well", () => {
    for (const name of ["A batch", "A key of the experiment file", "A click on Stop"])
      expect(filesIn(walk(name)).length, name).toBeGreaterThan(10);
  });
});
