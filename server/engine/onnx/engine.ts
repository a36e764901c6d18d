import { availableParallelism, cpus } from "node:os";
import { installedFolder } from "../../install/catalog.ts";
import { UserError } from "../../protocol/errors.ts";
import type { Engine, OpenOptions } from "../engine.ts";
import { compile } from "./compile.ts";
import { loadOrtFrom } from "./ort.ts";
import { compileWebGpu } from "./webgpu.ts";
import { hasFloat16 } from "./webgpuFloat16.ts";

/** ONNX Runtime on a device. @throws UserError if there is no such device or the CUDA provider is not installed */
export function onnxEngine(device: string, options: OpenOptions): Engine {
  if (device === "cpu") return cpuEngine(options.threads);
  if (device === "webgpu") return webGpuEngine(options);
  if (device.startsWith("cuda:")) return cudaEngine(device, options);
  throw new UserError(`the engine onnx has no device "${device}"`);
}

/** ONNX Runtime on the CPU. @param threads per operator */
export function cpuEngine(threads: number): Engine {
  const name = cpus()[0]?.model.trim() || process.arch;
  return {
    engine: "onnx",
    device: "cpu",
    description: `${name}, ${threads} of ${availableParallelism()} cores`,
    fewCalls: false,
    whyNotFloat16: async () => "float16 is not faster on a CPU",
    compile: (program, store, batch, options) => compile(program, store, batch, { ...options, threads }),
  };
}

/** ONNX Runtime on the GPU that WebGPU uses. */
const webGpuEngine = ({ name = "webgpu" }: OpenOptions): Engine => ({
  engine: "onnx",
  device: "webgpu",
  description: name,
  fewCalls: true,
  whyNotFloat16: async () =>
    (await hasFloat16()) ? undefined : "its driver does not support float16 (WebGPU's feature `shader-f16`)",
  compile: compileWebGpu,
});

/** ONNX Runtime on an NVIDIA GPU. Loads the installed copy of the library, which includes the CUDA provider. */
function cudaEngine(device: string, { threads, name = device }: OpenOptions): Engine {
  const folder = installedFolder("cuda");
  if (!folder) throw new UserError("the CUDA provider is not installed: run `btx engines install cuda`");
  loadOrtFrom(folder);
  const provider = { name: "cuda", deviceId: Number(device.slice("cuda:".length)) };
  return {
    engine: "onnx",
    device,
    description: name,
    fewCalls: true,
    whyNotFloat16: async () => undefined,
    compile: (program, store, batch, options) => compile(program, store, batch, { ...options, threads, provider }),
  };
}
