import type { DeviceReference, EngineName } from "../protocol/devices.ts";
import { deviceFailure } from "./deviceFailure.ts";
import type { Engine, OpenOptions } from "./engine.ts";

/** Opens each engine, whose module is loaded on first use. */
const engines: Record<EngineName, (device: string, options: OpenOptions) => Promise<Engine>> = {
  onnx: async (...args) => (await import("./onnx/engine.ts")).onnxEngine(...args),
  tfjs: async (...args) => (await import("./tfjs/engine.ts")).tfjsEngine(...args),
};

/** Opens an engine on one device, without fallback: when the device fails, calls throw a UserError that names it. */
export async function openEngine({ engine, device }: DeviceReference, options: OpenOptions): Promise<Engine> {
  const opened = await engines[engine](device, options);
  return device === "cpu" ? opened : withDeviceErrors(opened);
}

/** Wraps an engine so that errors of its device become messages for people; see `deviceFailure`. */
export function withDeviceErrors(engine: Engine): Engine {
  const callWithDeviceErrors = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw deviceFailure(error, engine.device, engine.description);
    }
  };
  return {
    ...engine,
    whyNotFloat16: () => callWithDeviceErrors(() => engine.whyNotFloat16()),
    async compile(...args) {
      const program = await callWithDeviceErrors(() => engine.compile(...args));
      return { run: (batch) => callWithDeviceErrors(() => program.run(batch)), dispose: () => program.dispose() };
    },
  };
}
