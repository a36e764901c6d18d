import { spawn } from "node:child_process";
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import {
  type PageMessage,
  streamPath,
  subprotocol,
  type Ticket,
  ticketSchema,
  tokenPrefix,
} from "../server/protocol/stream.ts";
import { stagePaths } from "../server/runs/layout.ts";
import { writeRun } from "../test/fixtures/runFolder.ts";
import { measuredOn } from "./machine.ts";

/**
 * `npm run bench -- slowPages [--seconds N] [--json FILE]`: the memory of `btx serve` while a stage's metrics grow to a million steps,
 * four pages look at them, one of them reads 100 KB a second of sixty exports it has asked for, and another one reads nothing at all.
 * Memory is measured once a second, from a tenth of the time on, when everything has been used once. Linux only.
 */

const { values } = parseArgs({ options: { seconds: { type: "string", default: "600" }, json: { type: "string" } } });
const seconds = Number(values.seconds);
const steps = 1_000_000;
const folder = mkdtempSync(join(tmpdir(), "btx-bench-"));
const { root, run, keyOf } = writeRun(folder);
const key = keyOf("seed");
const { metrics } = stagePaths(root, key);
writeFileSync(metrics, "");

const line = (step: number) =>
  `{"step":${step},"steps":${steps},"tokens":${step * 1024},"seconds":${step / 7},"loss":${2 + Math.cos(step / 1e5)},"gradientNorm":${1 + 1 / step},"learningRate":${1e-3 / Math.sqrt(step)},"tokensPerSecond":${2000 + (step % 100)}}\n`;

const server = spawn(process.execPath, [fileURLToPath(new URL("../btx.js", import.meta.url)), "serve"], {
  cwd: folder,
  stdio: ["ignore", "pipe", "pipe"],
});
/** Pages that were disconnected because they read nothing; they do not read that either. */
let dropped = 0;
server.stderr.setEncoding("utf8").on("data", (text: string) => {
  console.error(text.trimEnd());
  dropped += text.split("was disconnected").length - 1;
});
let printed = "";
const address = await new Promise<URL>((resolve) =>
  server.stdout.on("data", (text) => {
    printed += text;
    const found = /http:\S+/.exec(printed);
    if (found && printed.includes("\n")) resolve(new URL(found[0]));
  }),
);

/** Resident memory of the server, bytes. */
const resident = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))![1]) * 1024;

async function connect(): Promise<{ socket: WebSocket; send(message: PageMessage): void }> {
  const headers = { authorization: `Bearer ${address.searchParams.get("token")}` };
  const answer = await fetch(new URL("/ticket", address), { method: "POST", headers });
  const { port, token }: Ticket = ticketSchema.parse(await answer.json());
  const protocols = [subprotocol, `${tokenPrefix}${token}`];
  const socket = new WebSocket(`ws://127.0.0.1:${port}${streamPath}`, protocols, { origin: address.origin });
  await new Promise((resolve) => socket.once("open", resolve));
  const send = (message: PageMessage) => socket.send(JSON.stringify(message));
  send({ type: "open", id: 1, runs: [{ root, run }] });
  await new Promise((resolve) => socket.once("message", resolve));
  return { socket, send };
}

const selection = { series: [{ root, key }], axis: "step" as const, fromZero: false };
const pages = await Promise.all([connect(), connect(), connect(), connect()]);
for (const { send } of pages)
  send({ type: "view", id: 2, ...selection, measures: ["loss"], columns: 1500, smoothing: 101 });

/** Asks for sixty exports at once. */
function askForExports({ send }: { send(message: PageMessage): void }, from: number): void {
  for (let id = from; id < from + 60; id++) send({ type: "export", id, ...selection });
}

/** Reads about 100 KB a second. */
async function readSlowly({ socket }: { socket: WebSocket }): Promise<void> {
  let allowance = 0;
  socket.on("message", (data: ArrayBuffer | Buffer) => {
    allowance -= data.byteLength;
    if (allowance < 0) socket.pause();
  });
  for (;;) {
    await setTimeout(1000, undefined, { ref: false });
    if (socket.readyState !== WebSocket.OPEN) return;
    allowance = Math.min(allowance + 100_000, 100_000);
    if (allowance > 0) socket.resume();
  }
}

const out = createWriteStream(metrics, { flags: "a" });
const start = performance.now();
const samples: { second: number; bytes: number }[] = [];
let written = 0;
/** The page that reads nothing, and how many there were before it: there is a new one when it was disconnected. */
let silent = await connect();
let before = 0;
const begin = () => {
  silent.socket.pause();
  silent.socket.on("error", () => {});
  askForExports(silent, 10);
};
for (let second = 1; second <= seconds; second++) {
  const due = Math.round((steps * second) / seconds);
  let text = "";
  while (written < due) text += line(++written);
  out.write(text);
  if (second === Math.ceil(seconds / 20)) {
    askForExports(pages[0]!, 10);
    void readSlowly(pages[0]!);
    begin();
  }
  if (dropped > before) {
    before = dropped;
    silent.socket.terminate();
    silent = await connect();
    begin();
  }
  await setTimeout(Math.max(0, start + second * 1000 - performance.now()));
  if (second >= seconds / 10) samples.push({ second, bytes: resident() });
  if (second % 10 === 0) console.log(`${second} s: ${(resident() / 1e6).toFixed(0)} MB`);
}
const bytes = samples.map((sample) => sample.bytes);
const megabytes = (value: number) => Math.round(value / 1e6);
const mean = (part: number[]) => part.reduce((sum, value) => sum + value, 0) / part.length;
const tenth = Math.ceil(bytes.length / 10);
const figures = {
  ...measuredOn,
  seconds,
  steps,
  metricsMB: megabytes(readFileSync(metrics).length),
  /** Resident memory of the server: over the first and the last tenth of the samples, and the most. */
  firstMB: megabytes(mean(bytes.slice(0, tenth))),
  lastMB: megabytes(mean(bytes.slice(-tenth))),
  mostMB: megabytes(Math.max(...bytes)),
  /** The goal is 1.2. */
  lastOverFirst: Math.round((100 * mean(bytes.slice(-tenth))) / mean(bytes.slice(0, tenth))) / 100,
  dropped,
};
for (const { socket } of [...pages, silent]) socket.terminate();
server.kill("SIGINT");
out.end();
rmSync(folder, { recursive: true });
console.log(JSON.stringify(figures, null, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
process.exit();
