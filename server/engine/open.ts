import type { DeviceReference } from "../protocol/devices.ts";
import { UserError } from "../protocol/errors.ts";
import { deviceFailure } from "./devices/failures.ts";
import { cpuEngine, type Engine, type OpenOptions } from "./engine.ts";
import { installedFolder } from "./install/catalog.ts";
import { compile } from "./runtime/compile.ts";
import { loadOrtFrom } from "./runtime/ort.ts";
import { compileWebGpu } from "./runtime/webgpu.ts";
import { hasFloat16 } from "./runtime/webgpuFloat16.ts";

/** An engine on one device, and on no other: a device that fails ends the work with a UserError that names it. */
export async function openEngine({ engine, device }: DeviceReference, options: OpenOptions): Promise<Engine> {
  if (engine === "tfjs") {
    const { tfjsEngine } = await import("./tfjs/engine.ts");
    return guarded(await tfjsEngine(device, options));
  }
  if (device === "cpu") return cpuEngine(options.threads);
  if (device === "webgpu") return guarded(webGpuEngine(options.name));
  if (device.startsWith("cuda:")) return guarded(cudaEngine(device, options));
  throw new UserError(`the engine ${engine} has no device ${device}`);
}

/** ONNX Runtime on the graphics card that WebGPU reaches. */
const webGpuEngine = (name: string): Engine => ({
  engine: "onnx",
  device: "webgpu",
  description: name,
  fewCalls: true,
  whyNotFloat16: async () =>
    (await hasFloat16()) ? undefined : "its driver offers no float16 (WebGPU's feature shader-f16)",
  compile: compileWebGpu,
});

/** ONNX Runtime on a graphics card of NVIDIA. Its library is the installed one, beside which CUDA's provider lies. */
function cudaEngine(device: string, { threads, name }: OpenOptions): Engine {
  const folder = installedFolder("cuda");
  if (!folder) throw new UserError("CUDA's provider is not installed: btx engines install cuda");
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

/** The engine, with errors of its device in words for people. */
export function guarded(engine: Engine): Engine {
  const told = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw deviceFailure(error, engine.device, engine.description);
    }
  };
  return {
    ...engine,
    whyNotFloat16: () => told(() => engine.whyNotFloat16()),
    async compile(...asked) {
      const program = await told(() => engine.compile(...asked));
      return { run: (batch) => told(() => program.run(batch)), dispose: () => program.dispose() };
    },
  };
}
