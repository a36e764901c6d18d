import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** How trying a device ended. */
export interface ProbeResult {
  works: boolean;
  /** All output: of the device's library and of Vulkan's loader. */
  log: string;
  /** What ended it early. */
  ended?: "time" | "crash";
}

/** The program next to this one in the same build. */
const program = fileURLToPath(new URL("./probe.js", import.meta.url));

/** How much of the output is kept, characters. */
const maxOutput = 200_000;

export interface ProbeOptions {
  /** Where the engine's package is installed. */
  folder?: string;
  env?: NodeJS.ProcessEnv;
  /** Ends it after this many milliseconds. */
  limit?: number;
}

/** Adds two numbers on a device, in a process of its own, within a time limit. */
export function probe(device: string, { folder, env, limit = 20_000 }: ProbeOptions = {}): Promise<ProbeResult> {
  const child = spawn(process.execPath, [program, device, ...(folder ? [folder] : [])], {
    // The loader of Vulkan's drivers logs which adapter is used; ONNX Runtime does not.
    env: { ...process.env, ...env, ...(device === "webgpu" ? { VK_LOADER_DEBUG: "all" } : {}) },
    stdio: ["ignore", "pipe", "pipe"],
    windowsHide: true,
  });
  return watched(child, limit);
}

function watched(child: ReturnType<typeof spawn>, limit: number): Promise<ProbeResult> {
  let [printed, log] = ["", ""];
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, limit);
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    log = (log + text).slice(-maxOutput);
  });
  return new Promise((resolve) => {
    child.on("error", (error) => {
      clearTimeout(timer);
      resolve({ works: false, log: error.message });
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const works = code === 0 && printed.includes("works");
      const ended = late ? "time" : signal ? "crash" : undefined;
      resolve({ works, log: log + printed, ...(ended ? { ended } : {}) });
    });
  });
}
