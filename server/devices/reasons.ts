import { catalog, cudaOf } from "../install/catalog.ts";
import type { Device } from "../protocol/devices.ts";
import type { ProbeResult } from "./probe.ts";

/** Why a device did not work, in one sentence, and what to do. */
export type Reason = Pick<Device, "reason" | "remedy">;

type Probing = "webgpu" | "cuda" | "tfjs-node-gpu" | "tfjs-node";

const drivers: Record<Probing, string> = {
  webgpu: "the graphics driver",
  cuda: "NVIDIA's driver or the CUDA provider",
  "tfjs-node-gpu": "libtensorflow",
  "tfjs-node": "libtensorflow",
};

/** @param offered names of adapters that Vulkan's drivers offer */
export function reasonOf(device: Probing, { log, ended }: ProbeResult, offered: readonly string[] = []): Reason {
  const onGpu = device !== "tfjs-node";
  if (ended === "time")
    return { reason: `${drivers[device]} did not answer in time`, remedy: onGpu ? "update the driver" : "try again" };
  if (ended === "crash" && !onGpu) return { reason: "TensorFlow crashed, as it does on CPUs without AVX" };
  if (ended === "crash") return { reason: `${drivers[device]} crashed`, remedy: "update the driver" };
  const missing = missingLibrary(log);
  if (missing) return ofMissing(missing, device);
  if (device === "webgpu") return ofWebgpu(log, offered);
  if (device === "tfjs-node") return { reason: errorText(log) };
  if (/no CUDA-capable device/i.test(log)) return { reason: "the driver offers no CUDA device" };
  if (/driver version is insufficient/i.test(log))
    return {
      reason: `NVIDIA's driver is too old for CUDA ${cudaOf[device].version}`,
      remedy: "update NVIDIA's driver",
    };
  const start = /Failed call to cuInit: (.+)/.exec(log)?.[1];
  if (start) return { reason: `CUDA could not start: ${start}` };
  // The package's script fetches a library that needs them on the machine.
  const remedy = catalog[device].wheels ? {} : { remedy: "install CUDA 11 and cuDNN 8" };
  return { reason: errorText(log), ...remedy };
}

/** The shared library that the system's loader did not find, as "libcudart.so.13". */
export function missingLibrary(log: string): string | undefined {
  // CUDA_ERROR_SHARED_OBJECT_INIT_FAILED, which is all that TensorFlow reports.
  if (/Failed call to cuInit: .*\(303\)/.test(log)) return "libcuda.so.1";
  return /(lib[\w.+-]+?\.so[\d.]*): cannot open shared object file/.exec(log)?.[1];
}

function ofMissing(library: string, device: Probing): Reason {
  if (library.startsWith("libvulkan.so"))
    return { reason: `Vulkan is not installed (${library} is missing)`, remedy: "install your GPU's driver" };
  if (library.startsWith("libcuda.so"))
    return { reason: `${library}, a part of NVIDIA's driver, is missing`, remedy: "install NVIDIA's driver" };
  if (/^lib(cudart|cublas|cublasLt|curand|cufft|cusolver|cusparse|cudnn|nvJitLink)/.test(library))
    return {
      reason: `${library}, a part of CUDA, is missing`,
      remedy: `btx engines remove ${device}, then btx engines install ${device}`,
    };
  return { reason: `the library ${library} is missing`, remedy: `install the system package that provides it` };
}

function ofWebgpu(log: string, offered: readonly string[]): Reason {
  if (!/No supported adapters|Failed to get a WebGPU adapter/i.test(log)) return { reason: errorText(log) };
  const broken = /Could not get 'vkCreateInstance'.* for ICD (\S+)/.exec(log)?.[1];
  if (broken && offered.length === 0)
    return {
      reason: `the Vulkan driver ${broken} does not start: NVIDIA's needs the OpenGL libraries`,
      remedy: "install them (Debian: apt-get install libgl1 libegl1)",
    };
  if (offered.length > 0)
    return { reason: `the driver of ${offered[0]} is too old for WebGPU`, remedy: "update the graphics driver" };
  const vulkan = process.platform === "linux" ? " with a Vulkan driver" : "";
  return { reason: `no graphics adapter${vulkan} was found` };
}

/** The error in a program's output, without the source line that raised it. */
export function errorText(log: string): string {
  const lines = log.split("\n").filter((line) => !line.startsWith("[Vulkan Loader]"));
  const error = lines.find((line) => /^\w*Error: /.test(line)) ?? lines.findLast((line) => line.trim() !== "") ?? "";
  const text = error.replace(/^\w*Error: /, "").replace(/^\/\S+\.(cc|h|cpp):\d+ .*?(?:false\. |\] )/, "");
  return text.trim().slice(0, 300) || "it failed without a message";
}
