// Bundles the product into dist/; files that are named instead go to dist/bench/.
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { build } from "esbuild";

const programs = { btx: "server/cli.ts", stage: "server/stages/main.ts", server: "server/main.ts" };
const asked = process.argv.slice(2);
const entryPoints = asked.length
  ? Object.fromEntries(asked.map((file) => [basename(file, ".ts"), file]))
  : Object.fromEntries(Object.entries(programs).filter(([, file]) => existsSync(file)));

await build({
  entryPoints,
  outdir: asked.length ? "dist/bench" : "dist",
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node22",
  mainFields: ["module", "main"],
  external: ["onnxruntime-node"],
  sourcemap: true,
  // Some dependencies are CommonJS and ask for Node's modules with require.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
  },
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  logLevel: "warning",
});

// What VS Code loads into its extension host is CommonJS.
if (asked.length === 0)
  await build({
    entryPoints: { extension: "extension/main.ts" },
    outdir: "dist",
    outExtension: { ".js": ".cjs" },
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node22",
    mainFields: ["module", "main"],
    external: ["vscode"],
    sourcemap: true,
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: "warning",
  });
