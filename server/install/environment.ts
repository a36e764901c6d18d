import { join } from "node:path";
import { installedFolder } from "./catalog.ts";

/**
 * What a process on a device is started with: libraries that the system's loader must find, and products of CUDA in
 * float32, which its library would round to TF32 (10 bits) unless the user says otherwise. TensorFlow is kept from taking
 * all memory of a card, where other processes may train too, and from telling about itself.
 */
export function engineEnvironment(device: string, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const quiet = { TF_CPP_MIN_LOG_LEVEL: env.TF_CPP_MIN_LOG_LEVEL ?? "1" };
  if (device === "tfjs-node") return quiet;
  if (device === "tfjs-node-gpu")
    return { ...quiet, ...ofCuda(device, env), TF_FORCE_GPU_ALLOW_GROWTH: env.TF_FORCE_GPU_ALLOW_GROWTH ?? "true" };
  return device.startsWith("cuda") ? ofCuda("cuda", env) : {};
}

function ofCuda(engine: "cuda" | "tfjs-node-gpu", env: NodeJS.ProcessEnv): Record<string, string> {
  const folder = installedFolder(engine);
  if (!folder) return {};
  return {
    LD_LIBRARY_PATH: [join(folder, "lib"), env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
    NVIDIA_TF32_OVERRIDE: env.NVIDIA_TF32_OVERRIDE ?? "0",
  };
}
