import { installedFolder } from "../../install/catalog.ts";
import { UserError } from "../../protocol/errors.ts";
import type { Engine, OpenOptions } from "../engine.ts";
import { eager } from "./eager.ts";
import { loadTfjs, type TfjsDevice } from "./load.ts";

const backends: Record<TfjsDevice, string> = { "tfjs-node-gpu": "tensorflow", "tfjs-node": "tensorflow", cpu: "cpu" };

/**
 * TensorFlow.js, which runs programs op by op.
 * @throws UserError if its package is not installed
 */
export async function tfjsEngine(device: string, { name = device, threads }: OpenOptions): Promise<Engine> {
  const of = device as TfjsDevice;
  const folder = of === "cpu" ? undefined : installedFolder(of);
  if (of !== "cpu" && !folder) throw new UserError(`libtensorflow is not installed: run \`btx engines install ${of}\``);
  await loadTfjs(of, folder, threads);
  return {
    engine: "tfjs",
    device,
    description: name,
    fewCalls: of === "tfjs-node-gpu",
    whyNotFloat16: async () => "TensorFlow.js has no float16",
    compile: async (program, store, batch, options) =>
      eager(program, store, batch, { backend: backends[of], state: options?.state, resident: true }),
  };
}
