import { UserError } from "../../protocol/errors.ts";
import { nvidiaGpus } from "../devices/nvidia.ts";
import { eager } from "../eager/eager.ts";
import type { Engine } from "../engine.ts";
import { installedFolder } from "../install/catalog.ts";
import { loadTfjs, type TfjsDevice } from "./load.ts";

const backends: Record<TfjsDevice, string> = { "tfjs-node-gpu": "tensorflow", "tfjs-node": "tensorflow", cpu: "cpu" };

/** TensorFlow.js, which runs programs op by op. @throws UserError where its package is not installed */
export async function tfjsEngine(device: string): Promise<Engine> {
  const of = device as TfjsDevice;
  const folder = of === "cpu" ? undefined : installedFolder(of);
  if (of !== "cpu" && !folder) throw new UserError(`libtensorflow is not installed: btx engines install ${of}`);
  await loadTfjs(of, folder);
  return {
    engine: "tfjs",
    device,
    description: await describe(of),
    compile: async (program, store, batch, options) => eager(program, store, batch, backends[of], options?.state),
  };
}

async function describe(device: TfjsDevice): Promise<string> {
  if (device === "cpu") return "plain JavaScript on the processor";
  if (device === "tfjs-node") return "libtensorflow on the processor";
  const [card] = await nvidiaGpus();
  return card ? `${card.name}, driver ${card.driver}` : "libtensorflow on a graphics card";
}
