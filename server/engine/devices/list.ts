import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import type { Device, Installable } from "../../protocol/devices.ts";
import { engineEnvironment, installedFolder, leastCudaDriver, unavailable } from "../install/catalog.ts";
import { adaptersOfVulkanLog, describeAdapter } from "./adapter.ts";
import { isOlder, type NvidiaGpu, nvidiaGpus, nvidiaKernelDriver } from "./nvidia.ts";
import { type Probed, probe } from "./probe.ts";
import { reasonOf } from "./reasons.ts";

/** What is asked to find devices. */
export interface Sources {
  probe(device: string, options?: { folder?: string; env?: NodeJS.ProcessEnv }): Promise<Probed>;
  nvidiaGpus(): Promise<NvidiaGpu[]>;
  /** The folder of an installed engine. */
  installed(engine: Installable): string | undefined;
}

const thisMachine: Sources = { probe, nvidiaGpus: () => nvidiaGpus(), installed: (engine) => installedFolder(engine) };

/** Every engine on every device of this machine. Each is asked in a process of its own, all at once. */
export async function listDevices(sources: Sources = thisMachine): Promise<Device[]> {
  const gpus = await sources.nvidiaGpus();
  const found = await Promise.all([
    webgpu(sources),
    ...cuda(sources, gpus),
    tfjs("tfjs-node-gpu", sources, gpus),
    tfjs("tfjs-node", sources, gpus),
  ]);
  const [first, ...others] = [processor("onnx"), ...found];
  return [first!, ...others, processor("tfjs")];
}

/** The processor, which is always there. */
export function processor(engine: "onnx" | "tfjs"): Device {
  return {
    engine,
    device: "cpu",
    name: cpus()[0]?.model.trim() || process.arch,
    kind: "processor",
    cores: availableParallelism(),
    memory: totalmem(),
    freeMemory: freemem(),
    usable: true,
    ...(engine === "tfjs" ? { reason: "plain JavaScript: right, and very slow" } : {}),
  };
}

/** WebGPU reaches one adapter: nothing of ONNX Runtime's chooses among several. */
export async function webgpu(sources: Sources = thisMachine): Promise<Device> {
  const probed = await sources.probe("webgpu");
  const base = { engine: "onnx", device: "webgpu" } as const;
  const offered = adaptersOfVulkanLog(probed.log);
  if (probed.works) {
    const { software, ...adapter } = await describeAdapter(probed.log);
    const kind = software ? "software" : "gpu";
    const reasons = [
      ...(software ? ["a software adapter, slower than the processor: taken only when asked for"] : []),
      ...(offered.length > 1 ? [`one of ${offered.length} adapters: WebGPU reaches no other`] : []),
    ];
    const reason = reasons.length > 0 ? { reason: reasons.join("; ") } : {};
    return { ...base, ...adapter, kind, usable: true, ...reason };
  }
  const name = offered[0] ?? "none";
  return { ...base, name, kind: "gpu", usable: false, ...reasonOf("webgpu", probed, offered) };
}

function cuda(sources: Sources, gpus: NvidiaGpu[]): Promise<Device>[] {
  if (gpus.length === 0) return [noCuda(sources)];
  return gpus.map(async ({ index, ...gpu }): Promise<Device> => {
    const base = { engine: "onnx", device: `cuda:${index}`, kind: "gpu", ...gpu } as const;
    const folder = sources.installed("cuda");
    if (!folder) return { ...base, usable: false, ...notInstalled("cuda", "ONNX Runtime's CUDA provider") };
    if (isOlder(gpu.driver, leastCudaDriver)) return { ...base, usable: false, ...oldDriver(gpu.driver) };
    const probed = await sources.probe(base.device, { folder, env: engineEnvironment(base.device) });
    return { ...base, usable: probed.works, ...(probed.works ? {} : reasonOf("cuda", probed)) };
  });
}

const oldDriver = (driver: string) => ({
  reason: `NVIDIA's driver ${driver} is too old for CUDA 13`,
  remedy: `install driver ${leastCudaDriver} or newer`,
});

async function noCuda(sources: Sources): Promise<Device> {
  const driver = await nvidiaKernelDriver();
  const why = driver
    ? {
        reason: "nvidia-smi, which comes with NVIDIA's driver, does not answer",
        remedy: "install NVIDIA's driver anew",
      }
    : { reason: "no NVIDIA graphics card with a driver was found" };
  const base = { engine: "onnx", device: "cuda", name: "none", kind: "gpu", usable: false } as const;
  const missing = sources.installed("cuda") || driver === undefined ? {} : { install: "cuda" as const };
  return { ...base, ...(driver ? { driver } : {}), ...why, ...missing };
}

/** Why a device of an engine that is not installed cannot be used, and how to install it. */
function notInstalled(engine: Installable, what: string): Pick<Device, "reason" | "remedy" | "install"> {
  const never = unavailable(engine);
  if (never) return { reason: `${what} cannot be installed here: ${never}` };
  return { reason: `${what} is not installed`, remedy: `btx engines install ${engine}`, install: engine };
}

async function tfjs(engine: "tfjs-node-gpu" | "tfjs-node", sources: Sources, gpus: NvidiaGpu[]): Promise<Device> {
  const [gpu] = gpus;
  const { name, memory, freeMemory } = engine === "tfjs-node-gpu" && gpu ? gpu : processor("tfjs");
  const driver = engine === "tfjs-node-gpu" && gpu ? { driver: gpu.driver } : {};
  const base = {
    engine: "tfjs",
    device: engine,
    name: engine === "tfjs-node-gpu" && !gpu ? "no NVIDIA graphics card" : name,
    kind: engine === "tfjs-node-gpu" ? "gpu" : "processor",
    ...(engine === "tfjs-node-gpu" && !gpu ? {} : { memory, freeMemory }),
    ...driver,
  } as const;
  const folder = sources.installed(engine);
  if (!folder) return { ...base, usable: false, ...notInstalled(engine, "libtensorflow") };
  const probed = await sources.probe(engine, { folder });
  return { ...base, usable: probed.works, ...(probed.works ? {} : reasonOf(engine, probed)) };
}
