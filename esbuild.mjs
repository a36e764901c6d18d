// Bundles the product into dist/, or the folder BTX_DIST; files that are named instead go to dist/bench/.
import { existsSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { bundledPackages, noticesOf } from "./notices.ts";

/** zod brings its messages in fifty languages; these programs speak one. */
const english = {
  name: "english",
  setup: ({ onLoad }) =>
    onLoad({ filter: /zod[/\\]v4[/\\]locales[/\\]index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
    })),
};
const programs = {
  btx: "server/cli.ts",
  stage: "server/stages/main.ts",
  server: "server/main.ts",
  metrics: "server/stream/reader/main.ts",
  inspect: "server/inspect/main.ts",
  lookup: "server/language/lookups/main.ts",
  probe: "server/devices/probeMain.ts",
};
const dist = process.env.BTX_DIST ?? "dist";
const asked = process.argv.slice(2);
const entryPoints = asked.length
  ? Object.fromEntries(asked.map((file) => [basename(file, ".ts"), file]))
  : Object.fromEntries(Object.entries(programs).filter(([, file]) => existsSync(file)));

const { metafile } = await build({
  entryPoints,
  metafile: true,
  outdir: asked.length ? "dist/bench" : dist,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  mainFields: ["module", "main"],
  external: ["onnxruntime-node", ...(asked.length ? ["playwright-core"] : [])],
  plugins: [english],
  sourcemap: true,
  // Some dependencies are CommonJS and ask for Node's modules with require.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
  },
  splitting: true,
  // Beside the programs, so that they find one another from wherever they are called.
  chunkNames: "[name]-[hash]",
  logLevel: "warning",
});

/** Loaded when it is wanted, from a file of its own. */
const later = {
  name: "later",
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\.\.?\/heavy\.ts$/ }, () => ({ path: "./heavy.cjs", external: true })),
};

// What VS Code loads into its extension host is CommonJS.
if (asked.length === 0) {
  const extension = await build({
    metafile: true,
    entryPoints: { extension: "extension/main.ts", heavy: "extension/heavy.ts" },
    outdir: dist,
    outExtension: { ".js": ".cjs" },
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20",
    mainFields: ["module", "main"],
    external: ["vscode"],
    plugins: [english, later],
    sourcemap: true,
    minify: true,
    logLevel: "warning",
  });

  // Pages, and the colours they have in a browser, where no editor gives them any.
  const pages = await build({
    metafile: true,
    entryPoints: {
      ...Object.fromEntries(
        ["metrics", "routing", "expert", "tokens"]
          .filter((page) => existsSync(`webview/${page}/main.ts`))
          .flatMap((page) => [
            [page, `webview/${page}/main.ts`],
            [`${page}-style`, `webview/${page}/${page}.css`],
          ]),
      ),
      theme: "webview/theme.css",
    },
    outdir: join(dist, "webview"),
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2023",
    plugins: [english],
    sourcemap: true,
    minify: true,
    logLevel: "warning",
  });

  // ONNX Runtime is not bundled but goes along.
  const folders = bundledPackages([metafile, extension.metafile, pages.metafile]);
  for (const name of ["onnxruntime-node", "onnxruntime-common"]) folders.add(`node_modules/${name}`);
  writeFileSync(join(dist, "THIRD_PARTY_NOTICES.txt"), noticesOf(folders));
}
