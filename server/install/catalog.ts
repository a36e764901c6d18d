import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { EnginePackage } from "../protocol/devices.ts";
import { cudaWheels, tensorflowGpuWheels, tensorflowWheels, type Wheel } from "./pinnedWheels.ts";

/** The packages of engines that are installed on demand, in the versions that this program was made for. */

export interface CatalogEntry {
  description: string;
  /** Names all that the installed package is made of: another version has another folder. */
  version: string;
  /** Approximate size of the download. */
  bytes: number;
  /** Version of the npm package "@tensorflow/NAME", where there is one. */
  npm?: string;
  /** Absent where the npm package downloads what it needs. */
  wheels?: Wheel[];
  /** Platforms that it is available for. */
  platforms: string[];
}

/** The CUDA version of a package's libraries, and the oldest driver that runs it. */
export const cudaOf = {
  cuda: { version: 13, minDriver: "580.65.06" },
  "tfjs-node-gpu": { version: 12, minDriver: "525.60.13" },
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

export const catalog: Readonly<Record<EnginePackage, CatalogEntry>> = {
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
    description: `TensorFlow.js on ${ofWheels ? `TensorFlow ${tensorflow.version}` : "libtensorflow"} for the CPU`,
    ...(ofWheels ? onTensorflow(tensorflowWheels) : withScript(150e6)),
    platforms: ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64", "win32-x64"],
  },
};

/**
 * Where packages of engines are installed: among the user's own data, never in the extension, which is replaced with
 * every version. BTX_ENGINES names another folder.
 */
export function enginesFolder(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  if (env.BTX_ENGINES) return resolve(env.BTX_ENGINES);
  const data = {
    darwin: () => join(homedir(), "Library", "Application Support"),
    win32: () => env.LOCALAPPDATA || join(homedir(), "AppData", "Local"),
  }[platform as string];
  return join(data?.() ?? (env.XDG_DATA_HOME || join(homedir(), ".local", "share")), "btx-studio", "engines");
}

/** Where a package is installed, or would be. */
export const installFolder = (name: EnginePackage, root = enginesFolder()): string =>
  join(root, `${name}-${catalog[name].version}`);

/**
 * The folder of an installed package; undefined where it is not installed. A folder has this name only once it is
 * complete.
 */
export function installedFolder(name: EnginePackage, root?: string): string | undefined {
  const folder = installFolder(name, root);
  return existsSync(folder) ? folder : undefined;
}

/** Why a package cannot be installed on this machine. */
export function unavailable(name: EnginePackage, platform = thisPlatform): string | undefined {
  const { platforms } = catalog[name];
  return platforms.includes(platform) ? undefined : `not available for ${platform}, only for ${platforms.join(", ")}`;
}
