import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { noticesOf } from "../../notices.ts";
import { node } from "./btx.ts";
import { scratchFolder } from "./scratch.ts";

const project = new URL("../..", import.meta.url).pathname;

/** A package in a folder of its own. */
function packageWith(manifest: object, files: Record<string, string> = {}): string {
  const folder = join(scratchFolder(), "node_modules/some");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "some", version: "1.2.3", ...manifest }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

describe("the notices of the build", () => {
  it("name every package that the source maps name, and ONNX Runtime, each with a text", () => {
    const dist = join(scratchFolder(), "dist");
    const { status, stderr } = spawnSync(node, ["esbuild.mjs"], {
      cwd: project,
      env: { ...process.env, BTX_DIST: dist },
      encoding: "utf8",
    });
    expect(status, stderr).toBe(0);
    const notices = readFileSync(join(dist, "THIRD_PARTY_NOTICES.txt"), "utf8").split(`\n${"=".repeat(80)}\n\n`);
    const named = new Map(notices.slice(1).map((notice) => [/^(\S+) \S+ \(/.exec(notice)![1]!, notice]));
    const maps = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".map"));
    const bundled = new Set(["onnxruntime-node", "onnxruntime-common"]);
    for (const map of maps)
      for (const source of JSON.parse(readFileSync(join(dist, map), "utf8")).sources as string[]) {
        const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1];
        if (name !== undefined) bundled.add(name);
      }
    expect(bundled.size).toBeGreaterThan(20);
    expect([...bundled].filter((name) => !named.has(name))).toEqual([]);
    for (const [name, notice] of named) expect(notice, name).toMatch(/copyright|Permission is hereby granted/i);
  });

  it("are refused for a licence that is not on the list, and for one without a text", () => {
    expect(() => noticesOf([packageWith({ license: "GPL-3.0" }, { LICENSE: "text" })])).toThrow(
      /the licence of some is GPL-3\.0: use another package/,
    );
    expect(() => noticesOf([packageWith({}, { LICENSE: "text" })])).toThrow("the licence of some is undefined");
    expect(() => noticesOf([packageWith({ license: "MIT" })])).toThrow("some has no licence text");
    expect(noticesOf([packageWith({ license: "MIT" }, { "License.txt": "one\r\n", NOTICE: "two" })])).toContain(
      "some 1.2.3 (MIT)\n\none\n\ntwo\n",
    );
  });
});
