import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build, type Plugin } from "esbuild";
import { VsCode, whyNoVsCode } from "./harness/vscode.ts";
import { writeWorkspace } from "./workspace.ts";

/**
 * Runs the mocha suites inside the extension host of a real VS Code: the one of the kit, or with BTX_TEST_ELECTRON=1 the
 * desktop one that @vscode/test-electron downloads. `--results FILE` gets the counts as JSON.
 */

const project = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const built = join(project, "dist/test/host");
/** Time limit for all suites together, ms; they take five minutes on an idle machine. */
const limit = 900_000;

const { values, positionals } = parseArgs({ options: { results: { type: "string" } }, allowPositionals: true });
const scratch = mkdtempSync(join(tmpdir(), "btx-host-"));
const results = values.results ?? join(scratch, "results.json");
const env = { BTX_TEST_RESULTS: results, BTX_TEST_ONLY: positionals[0] ?? "" };

await compile();
const folder = writeWorkspace(join(scratch, "workspace"));
let passed = false;
try {
  passed = process.env.BTX_TEST_ELECTRON === "1" ? await inElectron() : await inKit();
} finally {
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
process.exit(passed ? 0 : 1);

/**
 * Bundles each suite as a CommonJS file, which the extension host loads. What suites use of the product's readers waits
 * for WebAssembly where it is loaded, which CommonJS cannot: it is one ES module, `product.mjs`, that `host/index.ts`
 * loads before the suites.
 */
async function compile(): Promise<void> {
  rmSync(built, { recursive: true, force: true });
  const suites = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".test.ts"));
  const common = {
    entryNames: "[name]",
    outdir: built,
    bundle: true,
    platform: "node",
    sourcemap: "inline",
    logLevel: "warning",
  } as const;
  await build({
    ...common,
    entryPoints: [join(import.meta.dirname, "host/product.ts")],
    outExtension: { ".js": ".mjs" },
    format: "esm",
  });
  const product: Plugin = {
    name: "product",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /\/server\/runs\/|\/fixtures\/knownRouting\.ts$/ }, () => ({
        path: "product",
        namespace: "product",
      }));
      onLoad({ filter: /./, namespace: "product" }, () => ({ contents: "module.exports = globalThis.product" }));
    },
  };
  await build({
    ...common,
    entryPoints: [...suites, "host/index.ts"].map((name) => join(import.meta.dirname, name)),
    outExtension: { ".js": ".cjs" },
    format: "cjs",
    external: ["vscode", "mocha"],
    plugins: [product],
  });
}

async function inKit(): Promise<boolean> {
  const why = whyNoVsCode();
  if (why) {
    console.log(`tests inside VS Code are left out: ${why}`);
    return true;
  }
  const code = await VsCode.start({ env });
  try {
    let exit!: (status: number) => void;
    const ended = new Promise<number>((resolve) => {
      exit = resolve;
    });
    const rest: string[] = [];
    const log = (line: string) => {
      if (line.startsWith("[test] ")) console.log(line.slice("[test] ".length));
      else rest.push(line);
    };
    const window = await code.open(folder, { tests: { path: join(built, "index.cjs"), log, exit } });
    const timer = setTimeout(() => exit(124), limit);
    const status = await ended;
    clearTimeout(timer);
    if (status === 124) console.log(`no end after ${limit / 1000} s\n${code.server.log().slice(-3000)}`);
    if (status !== 0)
      console.log(`${rest.slice(-40).join("\n")}\nscreenshot: ${await window.screenshot("host-failed")}`);
    return status === 0 && existsSync(results) && JSON.parse(readFileSync(results, "utf8")).passed > 0;
  } finally {
    await code.close();
  }
}

async function inElectron(): Promise<boolean> {
  const { runTests } = await import("@vscode/test-electron");
  const status = await runTests({
    extensionDevelopmentPath: project,
    extensionTestsPath: join(built, "index.cjs"),
    extensionTestsEnv: env,
    launchArgs: [folder, "--disable-workspace-trust", "--disable-extensions", "--user-data-dir", join(scratch, "user")],
  });
  return status === 0;
}
