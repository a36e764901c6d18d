import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { catalog, cudaOf, installedFolder, unavailable } from "../install/catalog.ts";
import { deviceEnvironment } from "../install/environment.ts";
import type { Device, EnginePackage } from "../protocol/devices.ts";
import { adaptersOfVulkanLog, describeAdapter } from "./adapter.ts";
import { isOlder, type NvidiaGpu, nvidiaGpus, nvidiaKernelDriver } from "./nvidia.ts";
import { type ProbeResult, probe } from "./probe.ts";
import { reasonOf } from "./reasons.ts";

/** Where devices are looked for. */
export interface Sources {
  probe(device: string, options?: { folder?: string; env?: NodeJS.ProcessEnv }): Promise<ProbeResult>;
  nvidiaGpus(): Promise<NvidiaGpu[]>;
  /** The folder of an installed package. */
  installed(name: EnginePackage): string | undefined;
}

const thisMachine: Sources = { probe, nvidiaGpus: () => nvidiaGpus(), installed: (name) => installedFolder(name) };

/** Every engine on every device of this machine. Each is probed in its own process, all in parallel. */
export async function listDevices(sources: Sources = thisMachine): Promise<Device[]> {
  const gpus = await sources.nvidiaGpus();
  const found = await Promise.all([webgpu(sources), ...cuda(sources, gpus), tfjsGpu(sources, gpus), tfjsNode(sources)]);
  return [cpuDevice("onnx"), ...found, cpuDevice("tfjs")];
}

/** The CPU, which is always available, as a device of an engine. */
export const cpuDevice = (engine: "onnx" | "tfjs"): Device => ({
  engine,
  device: "cpu",
  ...thisCpu(),
  usable: true,
  ...(engine === "tfjs" ? { reason: "plain JavaScript: correct, but very slow" } : {}),
});

function thisCpu() {
  return {
    name: cpus()[0]?.model.trim() || process.arch,
    kind: "processor" as const,
    cores: availableParallelism(),
    memory: totalmem(),
    freeMemory: freemem(),
  };
}

/** WebGPU uses one adapter: ONNX Runtime has no setting that chooses among several. */
export async function webgpu(sources: Sources = thisMachine): Promise<Device> {
  const probed = await sources.probe("webgpu");
  const base = { engine: "onnx", device: "webgpu" } as const;
  const offered = adaptersOfVulkanLog(probed.log);
  if (probed.works) {
    const { software, ...adapter } = await describeAdapter(probed.log);
    const kind = software ? "software" : "gpu";
    const reasons = [
      ...(software ? ["a software adapter, slower than the CPU: used only on request"] : []),
      ...(offered.length > 1 ? [`one of ${offered.length} adapters: WebGPU can use only this one`] : []),
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
    const old = sources.installed("cuda") ? oldDriver(gpu.driver, "cuda") : undefined;
    return { ...base, ...(old ?? (await tryPackage("cuda", base.device, sources))) };
  });
}

function oldDriver(driver: string, name: keyof typeof cudaOf) {
  const { version, minDriver } = cudaOf[name];
  if (!isOlder(driver, minDriver)) return undefined;
  const reason = `NVIDIA's driver ${driver} is too old for CUDA ${version}`;
  return { usable: false, reason, remedy: `install driver ${minDriver} or newer` };
}

/** @param driver version of NVIDIA's kernel driver, if installed */
const whyNoGpu = (driver: string | undefined) =>
  driver
    ? {
        reason: "nvidia-smi, which comes with NVIDIA's driver, does not answer",
        remedy: "reinstall NVIDIA's driver",
      }
    : { reason: "no NVIDIA GPU with a driver was found" };

async function noCuda(sources: Sources): Promise<Device> {
  const driver = await nvidiaKernelDriver();
  const base = { engine: "onnx", device: "cuda", name: "none", kind: "gpu", usable: false } as const;
  const missing = sources.installed("cuda") || driver === undefined ? {} : { install: "cuda" as const };
  return { ...base, ...(driver ? { driver } : {}), ...whyNoGpu(driver), ...missing };
}

/** Whether an installed package computes on its device, and why not. */
async function tryPackage(name: EnginePackage, device: string, sources: Sources) {
  const folder = sources.installed(name);
  if (!folder) return { usable: false, ...notInstalled(name) };
  const probed = await sources.probe(device, { folder, env: deviceEnvironment(device) });
  return { usable: probed.works, ...(probed.works ? {} : reasonOf(name, probed)) };
}

/** Why a device whose package is not installed cannot be used, and how to install it. */
function notInstalled(name: EnginePackage): Pick<Device, "reason" | "remedy" | "install"> {
  const never = unavailable(name);
  const what = name === "cuda" ? "ONNX Runtime's CUDA provider" : "libtensorflow";
  if (never) return { reason: `${what} cannot be installed here: ${never}` };
  return { reason: `${what} is not installed`, remedy: `btx engines install ${name}`, install: name };
}

async function tfjsGpu(sources: Sources, [gpu]: NvidiaGpu[]): Promise<Device> {
  const name = "tfjs-node-gpu";
  const base = { engine: "tfjs", device: name, kind: "gpu" } as const;
  if (!gpu) return { ...base, name: "none", usable: false, ...whyNoGpu(await nvidiaKernelDriver()) };
  const { index: _, ...card } = gpu;
  const old = catalog[name].wheels && oldDriver(gpu.driver, name);
  return { ...base, ...card, ...(old ?? (await tryPackage(name, name, sources))) };
}

const tfjsNode = async (sources: Sources): Promise<Device> => ({
  engine: "tfjs",
  device: "tfjs-node",
  ...thisCpu(),
  ...(await tryPackage("tfjs-node", "tfjs-node", sources)),
});
