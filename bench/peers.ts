import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { nvidiaGpus } from "../server/devices/nvidia.ts";
import { cpuEngine } from "../server/engine/onnx/engine.ts";
import { deviceEnvironment } from "../server/install/environment.ts";
import { parameterCount } from "../server/model/size.ts";
import type { DeviceReference } from "../server/protocol/devices.ts";
import { UserError } from "../server/protocol/errors.ts";
import type { ModelConfig } from "../server/protocol/model.ts";
import { countedIn } from "../server/protocol/routingStatistics.ts";
import { measuredOn } from "./machine.ts";
import { rounds } from "./measure.ts";
import { writeCase } from "./peers/case.ts";
import { peersPython } from "./peers/environment.ts";
import { type Peer, type PeerOptions, type PeerProgram, pythonPeer, startPeer } from "./peers/peer.ts";
import { type LeftOut, otherComputations, type Row, type Size, table } from "./peers/table.ts";
import { dense, large, type MeasuredStep, mixture, trainingStep } from "./program.ts";

/**
 * `npm run bench -- peers [--json FILE] [--device cpu|gpu] [--threads N] [--python PATH]`: the same model and training step
 * here, in PyTorch and in JAX, from the same weights and token ids, with the same precision and threads; measured in turn.
 */

/** A peer, or ours in a process of its own: on a graphics card, or op by op as TensorFlow.js does it. */
type Kind = Omit<PeerOptions, "device" | "threads"> | { ours: DeviceReference; precision?: "float16" };
const kinds: Record<string, Record<string, Kind>> = {
  cpu: {
    "TensorFlow.js": { ours: { engine: "tfjs", device: "tfjs-node" } },
    "PyTorch, eager": { framework: "torch" },
    "PyTorch, torch.compile": { framework: "torch", compile: true },
    "JAX, jit": { framework: "jax" },
    "JAX, jit, every expert on all rows": { framework: "jax", everyRow: true },
  },
  gpu: {
    "ours, WebGPU": { ours: { engine: "onnx", device: "webgpu" } },
    "ours, WebGPU, float16": { ours: { engine: "onnx", device: "webgpu" }, precision: "float16" },
    "ours, CUDA": { ours: { engine: "onnx", device: "cuda:0" } },
    "TensorFlow.js": { ours: { engine: "tfjs", device: "tfjs-node-gpu" } },
    "PyTorch, eager": { framework: "torch" },
    "PyTorch, torch.compile": { framework: "torch", compile: true },
    "PyTorch, eager, bfloat16": { framework: "torch", bf16: true },
    "PyTorch, torch.compile, bfloat16": { framework: "torch", compile: true, bf16: true },
  },
};
const models: [name: string, config: ModelConfig, sequences: number, on?: "gpu"][] = [
  ["dense", dense, 8],
  ["dense", large, 4],
  ["4 experts, top-2", mixture, 8],
  ["dense", large, 32, "gpu"],
];

/** Losses that are compared before anything is measured, and how far from ours they may be, relative. */
const STEPS = 6;
const [LIMIT, HALF_LIMIT] = [1e-3, 2e-2];

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    device: { type: "string", default: "cpu" },
    python: { type: "string" },
    threads: { type: "string", default: `${availableParallelism()}` },
  },
});
const { device } = values;
const threads = Number(values.threads);
const { version: ownVersion } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
// It is bundled into dist/bench/.
const scripts = fileURLToPath(new URL("../../bench/peers", import.meta.url));
const step = fileURLToPath(new URL("./step.js", import.meta.url));
const onGpu = device === "gpu";

/** Losses of the first steps, nats per token. */
async function firstLosses(step: Pick<MeasuredStep, "run" | "loss">): Promise<number[]> {
  const losses: number[] = [];
  while (losses.length < STEPS) {
    await step.run();
    losses.push(step.loss);
  }
  return losses;
}

/** A peer that has taken its first steps. */
interface Ready {
  peer: Peer;
  row: Omit<Row, "tokensPerSecond" | "share">;
}

async function ready(
  name: string,
  limit: number,
  start: () => Promise<Peer>,
  ours: number[],
): Promise<Ready | LeftOut> {
  let peer: Peer | undefined;
  try {
    peer = await start();
    const losses = await firstLosses(peer);
    const difference = Math.max(...losses.map((loss, i) => Math.abs(loss / ours[i]! - 1)));
    return { peer, row: { name, version: peer.version, device: peer.device, losses, difference, limit } };
  } catch (error) {
    await peer?.dispose();
    return { name, leftOut: (error as Error).message };
  }
}

function programOf(kind: Kind, python: string, folder: string, config: ModelConfig, sequences: number): PeerProgram {
  if (!("ours" in kind))
    return pythonPeer({ python, scripts, folder }, { ...kind, device: onGpu ? "cuda" : device, threads });
  const { ours, ...precision } = kind;
  const args = [step, JSON.stringify({ config, sequences, threads, ...ours, ...precision })];
  return { program: process.execPath, args, env: { ...process.env, ...deviceEnvironment(ours.device) } };
}

/** Ours and every peer on one model, B sequences a step; all losses are compared with ours on the processor. */
async function compare(python: string, config: ModelConfig, sequences: number): Promise<Size["rows"]> {
  const folder = mkdtempSync(join(tmpdir(), "btx-peers-"));
  await writeCase(folder, config, sequences);
  const ours = await trainingStep(config, cpuEngine(threads), { sequences, without: countedIn("training", "pairs") });
  const losses = await firstLosses(ours);
  const own = { name: "ours", version: ownVersion, device: "cpu", losses, difference: 0, limit: LIMIT };
  const all: (Ready | LeftOut)[] = [];
  for (const [name, kind] of Object.entries(kinds[device]!)) {
    if ("everyRow" in kind && !config.moe) continue;
    console.error(`  ${name}`);
    const limit = "bf16" in kind || "precision" in kind ? HALF_LIMIT : LIMIT;
    const program = programOf(kind, python, folder, config, sequences);
    all.push(await ready(name, limit, () => startPeer(program, ours), losses));
  }
  const peers = all.flatMap((each) => ("peer" in each ? [each] : []));
  const others = Object.fromEntries(peers.map(({ row, peer }) => [row.name, peer]));
  const measured = onGpu ? others : { ours, ...others };
  console.error("  measuring in turn");
  // A graphics card has nothing else to do.
  const rates = await rounds(measured, Object.keys(measured).slice(0, 1), onGpu ? 3 : 5, onGpu ? 1 : 2);
  for (const each of [ours, ...Object.values(others)]) await each.dispose();
  rmSync(folder, { recursive: true });
  const withRate = (row: Ready["row"]): Row => ({
    ...row,
    tokensPerSecond: rates.tokensPerSecond[row.name]!,
    share: rates.share[row.name]!,
  });
  const rows = all.map((each) => ("peer" in each ? withRate(each.row) : each));
  return onGpu ? rows : [withRate(own), ...rows];
}

async function main(): Promise<void> {
  if (!Object.hasOwn(kinds, device)) throw new UserError(`--device ${device}: take cpu or gpu`);
  if (!Number.isInteger(threads) || threads < 1) throw new UserError(`--threads ${values.threads}: take 1 or more`);
  const load = loadavg()[0]!;
  const python = values.python ?? peersPython(join(scripts, "requirements.txt"));
  const cards = onGpu ? await nvidiaGpus() : [];
  const sizes: Size[] = [];
  const figures = {
    ...measuredOn,
    load,
    threads,
    ...(onGpu ? { cards: cards.map(({ name, driver }) => `${name}, driver ${driver}`) } : {}),
    sizes,
  };
  for (const [name, config, sequences, on = device] of models) {
    if (on !== device) continue;
    const parameters = parameterCount(config).total;
    console.error(`${name}, ${(parameters / 1e6).toFixed(1)} M parameters`);
    const rows = await compare(python, config, sequences);
    sizes.push({ name, parameters, sequences, context: config.context, rows });
    if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
  }
  const machine = [figures.machine.cpu, ...(figures.cards ?? [])].join("; ");
  console.log(`\n${machine}, ${threads} threads, load before the run ${load.toFixed(1)}`);
  console.log(table(sizes));
  const others = otherComputations(sizes);
  if (others.length > 0) throw new UserError(`not the same computation: ${others.map(({ name }) => name).join("; ")}`);
}

await main().catch((error) => {
  if (!(error instanceof UserError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
});
