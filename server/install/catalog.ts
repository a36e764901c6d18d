import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { EnginePackage } from "../protocol/devices.ts";
import type { PackageLock } from "./packageLock.ts";
import { cudaWheels, tensorflowGpuWheels, tensorflowWheels, type Wheel } from "./pinnedWheels.ts";

/** The packages of engines that are installed on demand, in the versions that this program was built for. */

export interface CatalogEntry {
  description: string;
  /** Names the versions of everything that the installed package is made of; it is part of its folder's name. */
  version: string;
  /** Approximate size of the download. */
  bytes: number;
  /** The npm package "@tensorflow/NAME", where there is one: its version, and its tree with checksums. */
  npm?: { version: string; lock: () => Promise<PackageLock> };
  /** Wheels of Python's index, with checksums. */
  wheels: Wheel[];
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

const tfjs = "4.22.0";
const npmBytes = 75e6;
const [tensorflow] = tensorflowWheels as [Wheel];
/** TensorFlow.js takes its library from TensorFlow's wheel, which is available for Linux on x64 only. */
const onTensorflow = (wheels: Wheel[], lock: () => Promise<{ default: PackageLock }>) => ({
  version: `${tfjs}-on-${tensorflow.version}`,
  npm: { version: tfjs, lock: async () => (await lock()).default },
  wheels,
  bytes: npmBytes + sizeOf(wheels),
  platforms: ["linux-x64"],
});

export const catalog: Readonly<Record<EnginePackage, CatalogEntry>> = {
  cuda: {
    description: "ONNX Runtime's CUDA provider and NVIDIA's CUDA 13 libraries",
    version: "1.30.0",
    wheels: cudaWheels,
    bytes: sizeOf(cudaWheels),
    platforms: ["linux-x64"],
  },
  "tfjs-node-gpu": {
    description: `TensorFlow.js on TensorFlow ${tensorflow.version} with NVIDIA's CUDA 12 libraries`,
    ...onTensorflow(tensorflowGpuWheels, () => import("./locks/tfjs-node-gpu.json", { with: { type: "json" } })),
  },
  "tfjs-node": {
    description: `TensorFlow.js on TensorFlow ${tensorflow.version} for the CPU`,
    ...onTensorflow(tensorflowWheels, () => import("./locks/tfjs-node.json", { with: { type: "json" } })),
  },
};

/**
 * Where packages of engines are installed: in the user's data folder, not in the extension, which every update
 * replaces. BTX_ENGINES names another folder.
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

/** The folder of an installed package, which has this name only once it is complete; undefined if not installed. */
export function installedFolder(name: EnginePackage, root?: string): string | undefined {
  const folder = installFolder(name, root);
  return existsSync(folder) ? folder : undefined;
}

/** Why a package cannot be installed on this machine. */
export function unavailable(name: EnginePackage, platform = thisPlatform): string | undefined {
  const { platforms } = catalog[name];
  return platforms.includes(platform) ? undefined : `not available for ${platform}, only for ${platforms.join(", ")}`;
}
