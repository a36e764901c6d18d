import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import { RunList } from "../server/editor/runList.ts";
import { decodeFrame } from "../server/protocol/frame.ts";
import { type PageMessage, streamPath, subprotocol, tokenPrefix } from "../server/protocol/stream.ts";
import { runsFolder, stagePaths } from "../server/runs/layout.ts";
import { Hub } from "../server/stream/hub.ts";
import { writeRun } from "../test/fixtures/runFolder.ts";
import { measuredOn } from "./machine.ts";

/**
 * `npm run bench -- backend [--json FILE]`: how long the editor's backend takes to list 500 runs, and how long its event loop is
 * held up at most while a page is given a metrics file of 200,000 steps. The least of some attempts: other processes share the machine.
 */

const { values } = parseArgs({ options: { json: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "btx-bench-"));
const attempts = 7;

async function listing(runs: number): Promise<number[]> {
  let root = "";
  for (let index = 0; index < runs; index++)
    ({ root } = writeRun(join(folder, "many"), { id: `20260101-${String(index).padStart(6, "0")}` }));
  const times: number[] = [];
  for (let attempt = 0; attempt < attempts; attempt++) {
    const start = performance.now();
    // A list of its own each time, so that nothing is remembered.
    const listed = await new RunList().read(root);
    times.push(performance.now() - start);
    if (listed.runs.length !== runs) throw new Error(`${listed.runs.length} of ${runs} runs in ${runsFolder(root)}`);
  }
  return times;
}

async function holdUps(steps: number): Promise<number[]> {
  const { root, run, keyOf } = writeRun(join(folder, "one"));
  // It is bundled into dist/bench/.
  let closing = false;
  const hub = await Hub.start({
    trusted: () => true,
    reader: new URL("../metrics.js", import.meta.url),
    // What is being read when it closes is not answered, which it logs.
    log: (text) => closing || console.error(text),
  });
  const origin = "vscode-webview://bench";
  const { port, token } = hub.ticket(origin);
  const socket = new WebSocket(`ws://127.0.0.1:${port}${streamPath}`, [subprotocol, `${tokenPrefix}${token}`], {
    origin,
  });
  socket.binaryType = "arraybuffer";
  const send = (message: PageMessage) => socket.send(JSON.stringify(message));
  await new Promise((done) => socket.once("open", done));
  const opened = new Promise((done) => socket.once("message", done));
  send({ type: "open", id: 1, runs: [{ root, run }] });
  await opened;
  const delays: number[] = [];
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const last = steps + attempt;
    const line = (step: number) => `{"step":${step},"tokens":${step},"seconds":${step},"loss":${attempt / 3 / step}}\n`;
    writeFileSync(
      stagePaths(root, keyOf("seed")).metrics,
      Array.from({ length: last }, (_, index) => line(index + 1)).join(""),
    );
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const whole = new Promise<void>((done) => {
      const hear = (data: ArrayBuffer, isBinary: boolean): void => {
        const frame = isBinary ? decodeFrame(data) : undefined;
        if (frame?.kind !== "points" || !frame.lines.some(({ to }) => to === last)) return;
        socket.off("message", hear);
        done();
      };
      socket.on("message", hear);
    });
    send({
      type: "view",
      id: 1 + attempt,
      series: [{ root, key: keyOf("seed") }],
      measures: ["loss"],
      axis: "step",
      fromZero: false,
      columns: 2000,
      smoothing: 1,
    });
    await whole;
    delay.disable();
    delays.push(delay.max / 1e6);
  }
  closing = true;
  socket.terminate();
  await hub.close();
  return delays;
}

const least = (times: number[]): number => Math.round(Math.min(...times) * 10) / 10;
const figures = {
  ...measuredOn,
  /** The goal is 200. */
  listOf500RunsMs: least(await listing(500)),
  /** The goal is 50. */
  eventLoopHeldUpMs: least(await holdUps(200_000)),
};
rmSync(folder, { recursive: true });
console.log(JSON.stringify(figures, null, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
