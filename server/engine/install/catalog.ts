import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Installable } from "../../protocol/devices.ts";
import { enginesFolder } from "./folder.ts";

/** The engines that are installed on demand, in the versions that this program was made for. */

/** A package of Python's index, of which some files are taken. */
export interface Wheel {
  name: string;
  version: string;
  /** SHA-256 of the file for Linux on x64. */
  sha256: string;
  bytes: number;
  /** Names of the files that are wanted. */
  files: string[];
}

export interface CatalogEntry {
  description: string;
  version: string;
  /** About how much is downloaded. */
  bytes: number;
  /** Wheels whose files are put beside ONNX Runtime's; absent: a package of npm, named "@tensorflow/ENGINE". */
  wheels?: Wheel[];
  /** Platforms that it exists for. */
  platforms: string[];
}

/** The oldest driver that runs CUDA 13, of which the libraries below are. */
export const leastCudaDriver = "580.65.06";

const cudaWheels: Wheel[] = [
  {
    name: "onnxruntime-gpu",
    version: "1.30.0",
    sha256: "6acc0f4b3d5ac5f2984432faa59dd8fcce6775f8b43a7140afa0f322c7a703b1",
    bytes: 246_685_715,
    files: ["libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"],
  },
  {
    name: "nvidia-cublas",
    version: "13.10.0.20",
    sha256: "dcc6d63884c53d07e267ce7e6feac17b2538cebaafec5db865736c3e28e4dc84",
    bytes: 444_289_903,
    files: ["libcublas.so.13", "libcublasLt.so.13"],
  },
  {
    name: "nvidia-cuda-runtime",
    version: "13.5.37",
    sha256: "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d",
    bytes: 2_504_024,
    files: ["libcudart.so.13"],
  },
  {
    name: "nvidia-curand",
    version: "10.4.5.25",
    sha256: "22bb226a857e5888fe6b54ae465fc4371296bcff13a35f79e19691bcf454f529",
    bytes: 77_113_015,
    files: ["libcurand.so.10"],
  },
];

export const catalog: Readonly<Record<Installable, CatalogEntry>> = {
  cuda: {
    description: "ONNX Runtime's CUDA provider and NVIDIA's CUDA 13 libraries",
    version: "1.30.0",
    bytes: cudaWheels.reduce((sum, { bytes }) => sum + bytes, 0),
    wheels: cudaWheels,
    platforms: ["linux-x64"],
  },
  "tfjs-node-gpu": {
    description: "TensorFlow.js on libtensorflow for CUDA 11",
    version: "4.22.0",
    bytes: 450e6,
    platforms: ["linux-x64", "win32-x64"],
  },
  "tfjs-node": {
    description: "TensorFlow.js on libtensorflow for the processor",
    version: "4.22.0",
    bytes: 150e6,
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
export function unavailable(engine: Installable, platform = `${process.platform}-${process.arch}`): string | undefined {
  const { platforms } = catalog[engine];
  return platforms.includes(platform) ? undefined : `there is none for ${platform}, only for ${platforms.join(", ")}`;
}

/**
 * What a process on a device is started with: libraries that the system's loader must find, and products of CUDA in
 * float32, which its library would round to TF32 (10 bits) unless the user says otherwise.
 */
export function engineEnvironment(device: string, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const folder = device.startsWith("cuda") ? installedFolder("cuda") : undefined;
  if (!folder) return {};
  return {
    LD_LIBRARY_PATH: [join(folder, "lib"), env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
    NVIDIA_TF32_OVERRIDE: env.NVIDIA_TF32_OVERRIDE ?? "0",
  };
}
