import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { documentLinks } from "../../../../server/language/features/links.ts";
import { Snapshot } from "../../../../server/language/snapshot.ts";
import { ask, folderWith, opened, textIn } from "../support.ts";

const folder = folderWith({ "a.txt": "x", "b/c.txt": "y", "seed/config.json": "{}", "tok/tokenizer.json": "{}" });

/** The linked texts, each with the path it leads to from the folder. */
async function links(text: string): Promise<string[][]> {
  const snapshot = opened(text, join(folder, "a.btx.yaml"));
  const found = await documentLinks(snapshot, ask);
  return found.map(({ range, target }) => [textIn(snapshot, range), fileURLToPath(target!).slice(folder.length + 1)]);
}

describe("links", () => {
  it("lead from paths to files, and to what says most in a folder", async () => {
    const text = `domains: {a: {files: a.txt}, b: {files: ["b/c.txt", b]}}
seed: {from: ./seed}
tokenizer: {type: file, path: tok}
`;
    expect(await links(text)).toEqual([
      ["a.txt", "a.txt"],
      ["b/c.txt", "b/c.txt"],
      ["b", "b"],
      ["./seed", "seed/config.json"],
      ["tok", "tok/tokenizer.json"],
    ]);
  });

  it("do not stand at globs, at what is not there, and at other texts", async () => {
    const text = 'name: a.txt\ndomains: {a: {files: ["*.txt", "!a.txt", none.txt], text: a.txt}}\n';
    expect(await links(text)).toEqual([]);
  });

  it("do not stand in files that are on no disk", async () => {
    expect(await documentLinks(new Snapshot("untitled:1", 1, "domains: {a: {files: /etc/hosts}}"), ask)).toEqual([]);
  });
});
