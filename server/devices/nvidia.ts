import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";

/** A GPU as NVIDIA's driver describes it. */
export interface NvidiaGpu {
  index: number;
  name: string;
  /** Bytes. */
  memory: number;
  freeMemory: number;
  driver: string;
}

const fields = ["index", "name", "memory.total", "memory.free", "driver_version"];

/** NVIDIA GPUs; empty if the driver is not installed. */
export async function nvidiaGpus(run: typeof outputOf = outputOf): Promise<NvidiaGpu[]> {
  return parseNvidiaSmi(await run("nvidia-smi", [`--query-gpu=${fields.join()}`, "--format=csv,noheader,nounits"]));
}

/** The lines of `nvidia-smi --query-gpu --format=csv,noheader,nounits`; memory is in MiB there. */
export function parseNvidiaSmi(text: string): NvidiaGpu[] {
  return text.split("\n").flatMap((line) => {
    const [index, name, total, free, driver] = line.split(",").map((field) => field.trim());
    if (!driver || !name || !/^\d+$/.test(index!)) return [];
    // GPUs that share the machine's memory report "[N/A]".
    const bytes = (mebibytes: string | undefined) => Number(mebibytes) * 2 ** 20 || 0;
    return [{ index: Number(index), name, memory: bytes(total), freeMemory: bytes(free), driver }];
  });
}

/** Version of NVIDIA's kernel driver, if it is installed without its tools. */
export async function nvidiaKernelDriver(): Promise<string | undefined> {
  const text = await readFile("/proc/driver/nvidia/version", "utf8").catch(() => "");
  return /(\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1];
}

/** A program's output within five seconds; "" if it is missing or fails. */
export function outputOf(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 5000, windowsHide: true, maxBuffer: 2 ** 22 }, (error, stdout) =>
      resolve(error ? "" : stdout),
    );
  });
}

/** Whether the dotted version `found` is older than `least`. */
export function isOlder(found: string, least: string): boolean {
  const [a, b] = [found, least].map((version) => version.split(".").map(Number)) as [number[], number[]];
  for (const [i, part] of b.entries()) {
    if ((a[i] ?? 0) !== part) return (a[i] ?? 0) < part;
  }
  return false;
}
