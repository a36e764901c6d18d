import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Installable } from "../protocol/devices.ts";
import { enginesFolder } from "./folder.ts";
import { cudaWheels, tensorflowGpuWheels, tensorflowWheels, type Wheel } from "./pinned.ts";

/** The engines that are installed on demand, in the versions that this program was made for. */

export interface CatalogEntry {
  description: string;
  /** Another one, another folder: it names all that an installed engine is made of. */
  version: string;
  /** About how much is downloaded. */
  bytes: number;
  /** Version of the package of npm, "@tensorflow/ENGINE", where that is one. */
  npm?: string;
  /** Absent where the package of npm fetches what it needs. */
  wheels?: Wheel[];
  /** Platforms that it exists for. */
  platforms: string[];
}

/** The CUDA that an engine's libraries are of, and the oldest driver that runs it. */
export const cudaOf = {
  cuda: { version: 13, leastDriver: "580.65.06" },
  "tfjs-node-gpu": { version: 12, leastDriver: "525.60.13" },
} as const;

const thisPlatform = `${process.platform}-${process.arch}`;

const sizeOf = (wheels: readonly Wheel[]): number => wheels.reduce((sum, { bytes }) => sum + bytes, 0);

/** On Linux the library of TensorFlow.js comes out of TensorFlow's wheel, elsewhere with the script of its package. */
const ofWheels = thisPlatform === "linux-x64";
const tfjs = "4.22.0";
const npmBytes = 75e6;
const [tensorflow] = tensorflowWheels as [Wheel];
const onTensorflow = (wheels: Wheel[]) => ({
  version: `${tfjs}-on-${tensorflow.version}`,
  npm: tfjs,
  wheels,
  bytes: npmBytes + sizeOf(wheels),
});
const withScript = (bytes: number) => ({ version: tfjs, npm: tfjs, bytes });

export const catalog: Readonly<Record<Installable, CatalogEntry>> = {
  cuda: {
    description: "ONNX Runtime's CUDA provider and NVIDIA's CUDA 13 libraries",
    version: "1.30.0",
    wheels: cudaWheels,
    bytes: sizeOf(cudaWheels),
    platforms: ["linux-x64"],
  },
  "tfjs-node-gpu": {
    description: `TensorFlow.js on ${ofWheels ? `TensorFlow ${tensorflow.version} with NVIDIA's CUDA 12 libraries` : "libtensorflow for CUDA 11"}`,
    ...(ofWheels ? onTensorflow(tensorflowGpuWheels) : withScript(450e6)),
    platforms: ["linux-x64", "win32-x64"],
  },
  "tfjs-node": {
    description: `TensorFlow.js on ${ofWheels ? `TensorFlow ${tensorflow.version}` : "libtensorflow"} for the processor`,
    ...(ofWheels ? onTensorflow(tensorflowWheels) : withScript(150e6)),
    platforms: ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64", "win32-x64"],
  },
};

/** Where an engine is installed, or would be. */
export const engineFolder = (engine: Installable, root = enginesFolder()): string =>
  join(root, `${engine}-${catalog[engine].version}`);

/** The folder of an installed engine; undefined where it is not installed. A folder has this name only once it is whole. */
export function installedFolder(engine: Installable, root?: string): string | undefined {
  const folder = engineFolder(engine, root);
  return existsSync(folder) ? folder : undefined;
}

/** Why an engine cannot be installed on this machine. */
export function unavailable(engine: Installable, platform = thisPlatform): string | undefined {
  const { platforms } = catalog[engine];
  return platforms.includes(platform) ? undefined : `there is none for ${platform}, only for ${platforms.join(", ")}`;
}
