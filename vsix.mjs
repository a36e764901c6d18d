// Packs the extension for one platform: node vsix.mjs [linux-x64|darwin-arm64|win32-x64|...] [FILE]. Prints file and size.
// Only what runs goes in: the bundles, ONNX Runtime with the platform's binaries, the pages that people read.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

const project = import.meta.dirname;
const target = process.argv[2] ?? `${process.platform}-${process.arch}`;
const [platform, arch] = target.split("-");
const stage = join(project, "node_modules/.cache/vsix", target);
const file = resolve(process.argv[3] ?? join(project, `btx-studio-${target}.vsix`));

/** Runs a program; ends this process with what it said when it fails. */
function run(program, args, options) {
  const { status, error, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", ...options });
  if (status === 0) return;
  console.error(`${program} ${args.join(" ")}\n${error?.message ?? `${stdout}\n${stderr}`}`);
  process.exit(1);
}

/** The packer, with the packages of its lock (locks.mjs): in a cache folder, since nothing else needs it. */
function vsce() {
  const lock = readFileSync(join(project, "vsce-lock.json"), "utf8");
  const digest = createHash("sha256").update(lock).digest("hex").slice(0, 16);
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const folder = join(caches, "btx-studio-test", `vsce-${digest}`);
  // Written last, so that an installation that was interrupted is repeated.
  const complete = join(folder, "complete");
  if (!existsSync(complete)) {
    const { dependencies } = JSON.parse(lock).packages[""];
    console.log(`installing @vscode/vsce ${dependencies["@vscode/vsce"]} into ${folder}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies }));
    writeFileSync(join(folder, "package-lock.json"), lock);
    const npm = ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    run("npm", npm, { cwd: folder, shell: process.platform === "win32" });
    writeFileSync(complete, "");
  }
  return join(folder, "node_modules/@vscode/vsce/vsce");
}

const binaries = `bin/napi-v6/${platform}/${arch}`;
if (!existsSync(join(project, "node_modules/onnxruntime-node", binaries))) {
  console.error(`ONNX Runtime has no binaries for ${target}`);
  process.exit(2);
}
rmSync(stage, { recursive: true, force: true });
const copy = (from, to = from) => cpSync(join(project, from), join(stage, to), { recursive: true });
run(process.execPath, ["esbuild.mjs"], { cwd: project, env: { ...process.env, BTX_DIST: join(stage, "dist") } });
renameSync(join(stage, "dist/THIRD_PARTY_NOTICES.txt"), join(stage, "THIRD_PARTY_NOTICES.txt"));
for (const path of ["README.md", "CHANGELOG.md", "LICENSE", "docs", "media", "extension/language"]) copy(path);
for (const name of ["onnxruntime-node", "onnxruntime-common"]) {
  for (const part of ["package.json", name === "onnxruntime-node" ? "dist" : "dist/cjs"])
    copy(`node_modules/${name}/${part}`, `dist/node_modules/${name}/${part}`);
}
copy(`node_modules/onnxruntime-node/${binaries}`, `dist/node_modules/onnxruntime-node/${binaries}`);
// Packages are in the bundles.
const left = new Set(["scripts", "private", "files", "devDependencies", "dependencies", "optionalDependencies"]);
const manifest = Object.entries(JSON.parse(readFileSync(join(project, "package.json"), "utf8")));
const kept = manifest.filter(([key]) => !left.has(key) && !key.startsWith("peer"));
writeFileSync(join(stage, "package.json"), `${JSON.stringify(Object.fromEntries(kept), undefined, 2)}\n`);
writeFileSync(join(stage, ".vscodeignore"), "**/*.map\n**/*.ts\ndocs/generate.ts\nmedia/icon.svg\n");

const options = ["--no-dependencies", "--allow-missing-repository", "--no-rewrite-relative-links"];
run(process.execPath, [vsce(), "package", "--target", target, ...options, "--out", file], { cwd: stage });
rmSync(stage, { recursive: true });
console.log(`${file}  ${(statSync(file).size / 1e6).toFixed(1)} MB`);
