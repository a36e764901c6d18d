import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { afterAll } from "vitest";

/** Bundles a script that tests start as processes of their own, so that twenty of them start quickly. */
export function childScript(source: URL): string {
  const folder = mkdtempSync(join(tmpdir(), "btx-child-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, "child.mjs");
  buildSync({
    entryPoints: [source.pathname],
    outfile,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "node",
    logLevel: "error",
  });
  return outfile;
}
