import type { DeviceReference, EngineName } from "../protocol/devices.ts";
import { deviceFailure } from "./deviceFailure.ts";
import type { Engine, OpenOptions } from "./engine.ts";

/** What opens each engine, loaded when it is asked for. */
const engines: Record<EngineName, (device: string, options: OpenOptions) => Promise<Engine>> = {
  onnx: async (...asked) => (await import("./onnx/engine.ts")).onnxEngine(...asked),
  tfjs: async (...asked) => (await import("./tfjs/engine.ts")).tfjsEngine(...asked),
};

/** An engine on one device, and on no other: a device that fails ends the work with a UserError that names it. */
export async function openEngine({ engine, device }: DeviceReference, options: OpenOptions): Promise<Engine> {
  const opened = await engines[engine](device, options);
  return device === "cpu" ? opened : guarded(opened);
}

/** The engine, with errors of its device in words for people. */
export function guarded(engine: Engine): Engine {
  const inWords = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw deviceFailure(error, engine.device, engine.description);
    }
  };
  return {
    ...engine,
    whyNotFloat16: () => inWords(() => engine.whyNotFloat16()),
    async compile(...asked) {
      const program = await inWords(() => engine.compile(...asked));
      return { run: (batch) => inWords(() => program.run(batch)), dispose: () => program.dispose() };
    },
  };
}
