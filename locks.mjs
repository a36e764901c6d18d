// Writes the locks of npm packages that are not in package.json: what `btx engines install` and vsix.mjs install with `npm ci`.
// Each names every package of its tree with version and checksum, and no registry. `node run.mjs locks` after a version changed.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const { dependencies } = JSON.parse(readFileSync(join(import.meta.dirname, "package.json"), "utf8"));
const tfjs = dependencies["@tensorflow/tfjs-core"];
/** Node-API's headers, for which the binding of TensorFlow.js is built. */
const headers = { "node-api-headers": "1.9.0" };

/** By path: the packages that are asked for. */
const locks = {
  "server/install/locks/tfjs-node.json": { "@tensorflow/tfjs-node": tfjs, ...headers },
  "server/install/locks/tfjs-node-gpu.json": { "@tensorflow/tfjs-node-gpu": tfjs, ...headers },
  "vsce-lock.json": { "@vscode/vsce": "4.1.0" },
};

for (const [path, packages] of Object.entries(locks)) {
  const folder = mkdtempSync(join(tmpdir(), "btx-lock-"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies: packages }));
  const options = ["--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved", "--no-audit"];
  const npm = ["install", "--prefix", folder, ...options, "--no-fund", "--loglevel=error"];
  const { status } = spawnSync("npm", npm, { cwd: folder, stdio: "inherit", shell: process.platform === "win32" });
  if (status !== 0) process.exit(1);
  const { lockfileVersion, packages: tree } = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
  rmSync(folder, { recursive: true });
  for (const [name, one] of Object.entries(tree)) {
    delete one.funding;
    delete one.deprecated;
    if (name === "" || one.integrity) continue;
    console.error(`${path}: ${name} has no checksum`);
    process.exit(1);
  }
  const target = join(import.meta.dirname, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, `${JSON.stringify({ lockfileVersion, requires: true, packages: tree }, undefined, 2)}\n`);
  console.log(`${path}: ${Object.keys(tree).length - 1} packages`);
}
