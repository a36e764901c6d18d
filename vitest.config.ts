import { buildSync } from "esbuild";
import { defineConfig } from "vitest/config";

/** TF.js as one file and one instance: two instances of its core do not know each other's tensors. */
const tfjs = new URL("node_modules/.cache/tfjs.mjs", import.meta.url).pathname;
buildSync({
  stdin: {
    contents: `
      export * from "@tensorflow/tfjs-core";
      import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
      import "@tensorflow/tfjs-backend-cpu";`,
    resolveDir: import.meta.dirname,
  },
  outfile: tfjs,
  bundle: true,
  format: "esm",
  platform: "node",
  mainFields: ["module", "main"],
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  logLevel: "error",
});

export default defineConfig({
  resolve: { alias: [{ find: /^@tensorflow\/tfjs-(core|backend-cpu)(\/.*)?$/, replacement: tfjs }] },
  test: {
    testTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: "unit", include: ["test/unit/**/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          globalSetup: "test/integration/build.ts",
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Each file has a VS Code and a browser of its own: one at a time.
          fileParallelism: false,
          // A real VS Code drops a click or a key now and then while the machine is busy, and nothing here can wait for
          // that. What is broken fails three times.
          retry: 2,
        },
      },
    ],
  },
});
