import type { DeviceReference } from "../protocol/devices.ts";
import { UserError } from "../protocol/errors.ts";
import { deviceFailure } from "./devices/failures.ts";
import { nvidiaGpus } from "./devices/nvidia.ts";
import { cpuEngine, type Engine } from "./engine.ts";
import { installedFolder } from "./install/catalog.ts";
import { compile } from "./runtime/compile.ts";
import { loadOrtFrom } from "./runtime/ort.ts";

/**
 * An engine on one device, and on no other: a device that fails ends the work with a UserError that names it.
 * @param threads CPU threads of one operator
 */
export async function openEngine(
  { engine, device }: DeviceReference,
  { threads }: { threads: number },
): Promise<Engine> {
  if (engine === "tfjs") {
    const { tfjsEngine } = await import("./tfjs/engine.ts");
    return guarded(await tfjsEngine(device));
  }
  if (device === "cpu") return cpuEngine(threads);
  if (device.startsWith("cuda:")) return guarded(await cudaEngine(Number(device.slice(5)), threads));
  throw new UserError(`the engine ${engine} has no device ${device}`);
}

/** ONNX Runtime on a graphics card of NVIDIA. Its library is the installed one, beside which CUDA's provider lies. */
async function cudaEngine(index: number, threads: number): Promise<Engine> {
  const folder = installedFolder("cuda");
  if (!folder) throw new UserError("CUDA's provider is not installed: btx engines install cuda");
  loadOrtFrom(folder);
  const card = (await nvidiaGpus()).find((gpu) => gpu.index === index);
  const provider = { name: "cuda", deviceId: index };
  return {
    engine: "onnx",
    device: `cuda:${index}`,
    description: card ? `${card.name}, driver ${card.driver}` : "a graphics card of NVIDIA",
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
    async compile(...asked) {
      const program = await told(() => engine.compile(...asked));
      return { run: (batch) => told(() => program.run(batch)), dispose: () => program.dispose() };
    },
  };
}
