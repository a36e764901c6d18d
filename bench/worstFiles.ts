import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { CompletionRequest, HoverRequest } from "vscode-languageserver/node";
import { byteLevelFiles } from "../server/data/tokenizers/build.ts";
import { startLanguageServer } from "../test/integration/languageClient.ts";
import { measuredOn } from "./machine.ts";

/**
 * `npm run bench -- worstFiles [--dist FOLDER] [--json FILE]`: the built language server while experiment files are open that name
 * the whole disk, the kernel's files, named pipes and a large tokenizer: how long requests about another file take, how long its
 * mistakes take to appear, and the most memory of the server and of the processes that look things up. Linux only.
 */

const { values } = parseArgs({ options: { dist: { type: "string", default: "dist" }, json: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "btx-worst-"));
const seconds = 30;
/** A request that takes longer counts as if it had taken so long, ms. */
const longest = 5000;

let files = 0;
/** Writes an experiment file in a folder of its own. */
function experiment(text: string): string {
  const own = join(folder, String(files++));
  mkdirSync(own);
  writeFileSync(join(own, "a.txt"), "text\n".repeat(1000));
  const file = join(own, "a.btx.yaml");
  writeFileSync(file, text);
  return file;
}

const mix = "mix: {experts: [a, seed]}\n";
const worst = ["/**", "/", "/proc/**", "/sys"].map((files) => experiment(`domains: {a: {files: "${files}"}}\n${mix}`));
for (let i = 0; i < 6; i++) {
  const file = experiment(`domains: {a: {files: a.txt}}\ntokenizer: {type: file, path: pipe}\n${mix}`);
  spawnSync("mkfifo", [join(file, "../pipe")]);
  worst.push(file);
}
// About 200,000 tokens, as of the largest tokenizers in use.
const merges: [string, string][] = [];
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".split("");
for (const a of letters) for (const b of letters) merges.push([a, b]);
for (const [a, b] of merges.slice()) for (const c of letters) if (merges.length < 200_000) merges.push([`${a}${b}`, c]);
const large = experiment(`domains: {a: {files: a.txt}}\ntokenizer: {type: file, path: tokenizer.json}\n${mix}`);
writeFileSync(join(large, "../tokenizer.json"), byteLevelFiles(merges).tokenizer);
worst.push(large);

const client = await startLanguageServer(undefined, [], resolve(values.dist, "server.js"));
client.trust(true);
await setTimeout(500);

/** Resident memory of a process and the most that it had, MiB; undefined when it has ended. */
function memory(pid: number): { now: number; most: number } | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    // A process that has just ended has no such line.
    const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0) / 1024;
    return { now: of("VmRSS"), most: of("VmHWM") };
  } catch {
    return undefined;
  }
}
const childrenOf = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number),
  );
const before = memory(client.pid)!.now;
let most = { server: 0, all: 0 };
const watch = setInterval(() => {
  const server = memory(client.pid);
  if (!server) return;
  const lookups = childrenOf(client.pid).map((pid) => memory(pid)?.now ?? 0);
  const all = lookups.reduce((sum, value) => sum + value, server.now);
  most = { server: server.most, all: Math.max(most.all, all) };
}, 100);

for (const file of worst) client.open(file, readFileSync(file, "utf8"));
const good = experiment(`domains: {a: {files: "*.txt"}, b: {files: missing.txt}}\n${mix}`);
const text = readFileSync(good, "utf8");
const { uri } = client.open(good, text);
const start = performance.now();
let mistakes: number | undefined;
const times: Record<string, number[]> = { hover: [], completion: [], "completion of a path": [] };
const textDocument = { uri };
const at = (word: string) => ({ line: 0, character: text.indexOf(word) + 1 });
const requests: Record<string, () => Promise<unknown>> = {
  hover: () => client.connection.sendRequest(HoverRequest.type, { textDocument, position: at("domains") }),
  completion: () =>
    client.connection.sendRequest(CompletionRequest.type, { textDocument, position: { line: 2, character: 0 } }),
  "completion of a path": () =>
    client.connection.sendRequest(CompletionRequest.type, { textDocument, position: at("missing") }),
};
while (performance.now() - start < seconds * 1000) {
  for (const [name, request] of Object.entries(requests)) {
    const asked = performance.now();
    await Promise.race([request().catch(() => {}), setTimeout(longest)]);
    times[name]!.push(performance.now() - asked);
    mistakes ??= client.diagnostics(good)?.length ? performance.now() - start : undefined;
  }
  await setTimeout(20);
}
const shown = worst.map((file) => String(client.diagnostics(file)?.map(({ message }) => message)[0] ?? "nothing"));
clearInterval(watch);

const percentile = (all: number[], share: number): number =>
  Math.round(all.toSorted((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * share))]! * 10) / 10;
const figures = {
  ...measuredOn,
  /** ms, while the worst files are open; the goal is 50 for 95 of 100. */
  requests: Object.fromEntries(
    Object.entries(times).map(([name, all]) => [
      name,
      { count: all.length, median: percentile(all, 0.5), "95 %": percentile(all, 0.95), most: percentile(all, 1) },
    ]),
  ),
  /** Until the mistake in the other file is shown; null if it was not within the time of the measurement. */
  mistakesShownMs: mistakes === undefined ? null : Math.round(mistakes),
  memoryMiB: { before: Math.round(before), server: Math.round(most.server), withLookups: Math.round(most.all) },
};
console.log(JSON.stringify(figures, null, 2));
console.log(
  `diagnostics of the worst files:\n  ${shown.map((message) => message.replaceAll(folder, "")).join("\n  ")}`,
);
if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
process.kill(client.pid, "SIGKILL");
rmSync(folder, { recursive: true });
process.exit();
