import { readdirSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { type NvidiaGpu, nvidiaGpus, outputOf } from "./nvidia.ts";

/** Properties of the adapter that WebGPU computes with. */
export interface Adapter {
  name: string;
  driver?: string;
  software: boolean;
  /** Bytes. */
  memory?: number;
  freeMemory?: number;
}

/** Graphics drivers that compute on the CPU. */
const software = /swiftshader|llvmpipe|lavapipe|libvulkan_lvp|softpipe|basic render|\bwarp\b/i;

export const isSoftware = (text: string): boolean => software.test(text);

/**
 * The adapter in the Vulkan loader's log (VK_LOADER_DEBUG) of creating a device: its name, and the file of its driver.
 * ONNX Runtime itself reports neither.
 */
export function adapterOfVulkanLog(log: string): { name: string; driver: string } | undefined {
  const made = [...log.matchAll(/Using "(.+)" with driver: "(.+)"/g)].at(-1);
  return made && { name: made[1]!, driver: made[2]! };
}

/** Names of the adapters that Vulkan's drivers offer, whether or not WebGPU accepts them. */
export function adaptersOfVulkanLog(log: string): string[] {
  const sorted = log.slice(log.lastIndexOf("Sorted order:"));
  return log.includes("Sorted order:") ? [...sorted.matchAll(/\[\d+\] (.+?)\s*$/gm)].map(([, name]) => name!) : [];
}

/** Combines what the probe and the system report about the adapter in use. `log`: the Vulkan loader's output. */
export async function describeAdapter(log: string): Promise<Adapter> {
  if (process.platform === "darwin")
    return macAdapter(await outputOf("system_profiler", ["SPDisplaysDataType", "-json"]));
  if (process.platform === "win32") return windowsAdapter(await outputOf("powershell.exe", windowsQuery));
  const made = adapterOfVulkanLog(log);
  // The loader logged nothing: without the device files of a GPU it can only be a software adapter.
  if (!made) return { name: adaptersOfVulkanLog(log)[0] ?? "a graphics adapter", software: !mayHaveGpu() };
  const { name } = made;
  const driver = made.driver.replace(/^.*\//, "");
  if (isSoftware(`${name} ${driver}`)) return { name, driver, software: true, memory: totalmem() };
  const nvidia = (await nvidiaGpus()).find((gpu) => gpu.name === name);
  return { name, software: false, ...(nvidia ? ofNvidia(nvidia) : { driver, ...(await amdMemory()) }) };
}

const ofNvidia = ({ driver, memory, freeMemory }: NvidiaGpu) => ({ driver, memory, freeMemory });

/** Memory of the largest AMD GPU, from its kernel driver; without one, the machine's memory, because it is shared. */
async function amdMemory(cards = "/sys/class/drm"): Promise<{ memory?: number; freeMemory?: number }> {
  const found: { memory: number; freeMemory: number }[] = [];
  for (const card of await readdir(cards).catch(() => [])) {
    if (!/^card\d+$/.test(card)) continue;
    const number = async (file: string) => Number(await readFile(`${cards}/${card}/device/${file}`, "utf8"));
    try {
      const memory = await number("mem_info_vram_total");
      found.push({ memory, freeMemory: memory - (await number("mem_info_vram_used")) });
    } catch {
      // Not an AMD GPU.
    }
  }
  return found.sort((a, b) => b.memory - a.memory)[0] ?? { memory: totalmem() };
}

/**
 * The first adapter of `system_profiler SPDisplaysDataType -json`. Its memory is the machine's, unless it has its own.
 */
export function macAdapter(text: string): Adapter {
  try {
    const [first] = JSON.parse(text).SPDisplaysDataType as Record<string, string>[];
    const own = /^(\d+) GB$/.exec(first!.spdisplays_vram ?? "")?.[1];
    const name = first!.sppci_model ?? first!._name!;
    return { name, driver: "Metal", software: false, memory: own ? Number(own) * 2 ** 30 : totalmem() };
  } catch {
    return { name: "a graphics adapter", driver: "Metal", software: false, memory: totalmem() };
  }
}

const windowsQuery = [
  "-NoProfile",
  "-NonInteractive",
  "-Command",
  "Get-CimInstance Win32_VideoController | Select-Object Name,DriverVersion,AdapterRAM | ConvertTo-Json",
];

/** The first real adapter of `Get-CimInstance Win32_VideoController`. AdapterRAM is at most 4 GB, so it is left out. */
export function windowsAdapter(text: string): Adapter {
  try {
    const given = JSON.parse(text) as Record<string, string> | Record<string, string>[];
    const adapters = [given].flat().map(({ Name, DriverVersion }) => ({
      name: Name!,
      ...(DriverVersion ? { driver: DriverVersion } : {}),
      software: isSoftware(Name!),
    }));
    return adapters.find((adapter) => !adapter.software) ?? adapters[0]!;
  } catch {
    return { name: "a graphics adapter", software: false };
  }
}

/**
 * Whether there may be a GPU at all. The check is instant, and without a GPU no device needs to be tried. A software
 * adapter does not count.
 */
export function mayHaveGpu(platform: NodeJS.Platform = process.platform, devices = devFiles()): boolean {
  return platform !== "linux" || devices.some((file) => /^(nvidia\d+|dxg|renderD\d+)$/.test(file));
}

function devFiles(): string[] {
  return ["/dev", "/dev/dri"].flatMap((folder) => {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  });
}
