import { join } from "node:path";
import { installedFolder } from "./catalog.ts";

/**
 * Environment variables of a process that computes on a device. They tell the system's loader where libraries are, and
 * switch off TF32, which rounds the factors of float32 products in CUDA to 10 bits, unless the user has set that
 * variable. TensorFlow must neither take all memory of a GPU, on which other processes may train, nor log.
 */
export function deviceEnvironment(device: string, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const quiet = { TF_CPP_MIN_LOG_LEVEL: env.TF_CPP_MIN_LOG_LEVEL ?? "1" };
  if (device === "tfjs-node") return quiet;
  if (device === "tfjs-node-gpu")
    return { ...quiet, ...ofCuda(device, env), TF_FORCE_GPU_ALLOW_GROWTH: env.TF_FORCE_GPU_ALLOW_GROWTH ?? "true" };
  return device.startsWith("cuda") ? ofCuda("cuda", env) : {};
}

function ofCuda(name: "cuda" | "tfjs-node-gpu", env: NodeJS.ProcessEnv): Record<string, string> {
  const folder = installedFolder(name);
  if (!folder) return {};
  return {
    LD_LIBRARY_PATH: [join(folder, "lib"), env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
    NVIDIA_TF32_OVERRIDE: env.NVIDIA_TF32_OVERRIDE ?? "0",
  };
}
