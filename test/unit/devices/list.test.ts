import { totalmem } from "node:os";
import { describe, expect, test } from "vitest";
import { listDevices, type Sources } from "../../../server/devices/list.ts";
import type { NvidiaGpu } from "../../../server/devices/nvidia.ts";
import type { ProbeResult } from "../../../server/devices/probe.ts";
import { catalog } from "../../../server/install/catalog.ts";
import { deviceSchema, type EnginePackage } from "../../../server/protocol/devices.ts";

const works: ProbeResult = { works: true, log: "works" };
const card = (index: number, more: Partial<NvidiaGpu> = {}): NvidiaGpu => ({
  index,
  name: "NVIDIA H100",
  memory: 80e9,
  freeMemory: 79e9,
  driver: "580.95.05",
  ...more,
});

interface Machine {
  gpus?: NvidiaGpu[];
  installed?: EnginePackage[];
  /** What a device's probe gives; it fails without a word where this says nothing. */
  probes?: Record<string, ProbeResult>;
}

/** The devices of a made-up machine, by engine and name, and which of them were probed. */
async function devicesOf({ gpus = [], installed = [], probes = {} }: Machine) {
  const probed: string[] = [];
  const sources: Sources = {
    probe: async (device) => {
      probed.push(device);
      return probes[device] ?? { works: false, log: "" };
    },
    nvidiaGpus: async () => gpus,
    installed: (engine) => (installed.includes(engine) ? `/engines/${engine}` : undefined),
  };
  const devices = await listDevices(sources);
  for (const device of devices) deviceSchema.parse(device);
  const of = (engine: string, device: string) => devices.find((one) => one.engine === engine && one.device === device);
  return { devices, of, probed };
}

test("a machine without GPUs has its CPU, and says of all else why it cannot be used", async () => {
  const { devices, of, probed } = await devicesOf({});
  expect(devices.map(({ engine, device, usable }) => [engine, device, usable])).toEqual([
    ["onnx", "cpu", true],
    ["onnx", "webgpu", false],
    ["onnx", "cuda", false],
    ["tfjs", "tfjs-node-gpu", false],
    ["tfjs", "tfjs-node", false],
    ["tfjs", "cpu", true],
  ]);
  expect(of("onnx", "cpu")).toMatchObject({ kind: "processor", memory: totalmem() });
  for (const { usable, reason } of devices) expect(usable || reason !== undefined).toBe(true);
  expect(of("tfjs", "tfjs-node")).toMatchObject({
    reason: "libtensorflow is not installed",
    remedy: "btx engines install tfjs-node",
    install: "tfjs-node",
  });
  // What is not installed is not started.
  expect(probed).toEqual(["webgpu"]);
});

describe("CUDA", () => {
  test("has a device a card, each asked by its number, once its provider is installed", async () => {
    const machine = { gpus: [card(0), card(1)], installed: ["cuda"] as EnginePackage[] };
    const { of, probed } = await devicesOf({ ...machine, probes: { "cuda:0": works } });
    expect(probed.sort()).toEqual(["cuda:0", "cuda:1", "webgpu"]);
    expect(of("onnx", "cuda:0")).toMatchObject({
      name: "NVIDIA H100",
      memory: 80e9,
      driver: "580.95.05",
      usable: true,
    });
    expect(of("onnx", "cuda:1")).toMatchObject({ usable: false, reason: "it failed without a message" });
  });

  test("is offered for installation where there is a card", async () => {
    const { of } = await devicesOf({ gpus: [card(0)] });
    expect(of("onnx", "cuda:0")).toMatchObject({
      usable: false,
      reason: "ONNX Runtime's CUDA provider is not installed",
      remedy: "btx engines install cuda",
      install: "cuda",
    });
  });

  test("is not asked where the driver is too old, which is said with the version that is needed", async () => {
    const { of, probed } = await devicesOf({ gpus: [card(0, { driver: "535.104.05" })], installed: ["cuda"] });
    expect(probed).toEqual(["webgpu"]);
    expect(of("onnx", "cuda:0")).toMatchObject({
      usable: false,
      reason: "NVIDIA's driver 535.104.05 is too old for CUDA 13",
      remedy: "install driver 580.65.06 or newer",
    });
  });

  test("names the library that its provider did not find", async () => {
    const log =
      "Failed to load library /e/libonnxruntime_providers_cuda.so with error: libcudart.so.13: cannot open shared object file: No such file or directory";
    const probes = { "cuda:0": { works: false, log } };
    const { of } = await devicesOf({ gpus: [card(0)], installed: ["cuda"], probes });
    expect(of("onnx", "cuda:0")).toMatchObject({
      usable: false,
      reason: "libcudart.so.13, a part of CUDA, is missing",
      remedy: "btx engines remove cuda, then btx engines install cuda",
    });
  });
});

describe.runIf(process.platform === "linux")("WebGPU", () => {
  const log = (name: string, driver: string) =>
    `[Vulkan Loader] INFO | DRIVER:       Sorted order:\n[Vulkan Loader] INFO | DRIVER:             [0] ${name}  \n` +
    `[Vulkan Loader] DRIVER:                Using "${name}" with driver: "${driver}"\n`;

  test.each([
    ["SwiftShader Device (Subzero)", "/usr/lib/chromium/libvk_swiftshader.so"],
    ["llvmpipe (LLVM 15.0.6, 256 bits)", "/usr/lib/x86_64-linux-gnu/libvulkan_lvp.so"],
  ])("tells %s as a software adapter", async (name, driver) => {
    const { of } = await devicesOf({ probes: { webgpu: { works: true, log: log(name, driver) } } });
    expect(of("onnx", "webgpu")).toMatchObject({ name, kind: "software", usable: true });
    expect(of("onnx", "webgpu")!.reason).toContain("used only on request");
  });

  test("has the name of the card that Vulkan's loader gave it, and the file of its driver", async () => {
    const said = log("AMD Radeon RX 7900 XTX (RADV NAVI31)", "/usr/lib/libvulkan_radeon.so");
    const { of } = await devicesOf({ probes: { webgpu: { works: true, log: said } } });
    expect(of("onnx", "webgpu")).toMatchObject({
      name: "AMD Radeon RX 7900 XTX (RADV NAVI31)",
      driver: "libvulkan_radeon.so",
      kind: "gpu",
      usable: true,
    });
  });

  test("says of one of several adapters that no other is reached", async () => {
    const said = log("NVIDIA H100", "/usr/lib/libGLX_nvidia.so.0").replace(
      "NVIDIA H100  \n",
      "$&[Vulkan Loader] INFO | DRIVER:             [1] NVIDIA H100  \n",
    );
    const { of } = await devicesOf({ probes: { webgpu: { works: true, log: said } } });
    expect(of("onnx", "webgpu")!.reason).toBe("one of 2 adapters: WebGPU can use only this one");
  });

  test("says of an adapter that it does not accept that its driver is too old", async () => {
    const refused = `${log("Intel HD Graphics 4000", "/usr/lib/libvulkan_intel.so").split("\n").slice(0, 2).join("\n")}\nError: Failed to get a WebGPU adapter: No supported adapters\n`;
    const { of } = await devicesOf({ probes: { webgpu: { works: false, log: refused } } });
    expect(of("onnx", "webgpu")).toMatchObject({
      name: "Intel HD Graphics 4000",
      usable: false,
      reason: "the driver of Intel HD Graphics 4000 is too old for WebGPU",
      remedy: "update the graphics driver",
    });
  });

  test("says which libraries NVIDIA's Vulkan driver misses on a machine without a screen", async () => {
    const refused =
      "Warning: loader_scanned_icd_add: Could not get 'vkCreateInstance' via 'vk_icdGetInstanceProcAddr' for ICD libGLX_nvidia.so.0\nError: Failed to get a WebGPU adapter: No supported adapters\n";
    const { of } = await devicesOf({ probes: { webgpu: { works: false, log: refused } } });
    expect(of("onnx", "webgpu")).toMatchObject({
      usable: false,
      reason: "the Vulkan driver libGLX_nvidia.so.0 does not start: NVIDIA's needs the OpenGL libraries",
      remedy: "install them (Debian: apt-get install libgl1 libegl1)",
    });
  });

  test.each([
    ["time", "the graphics driver did not answer in time"],
    ["crash", "the graphics driver crashed"],
  ] as const)("survives a driver that ends by %s", async (ended, reason) => {
    const { of } = await devicesOf({ probes: { webgpu: { works: false, log: "", ended } } });
    expect(of("onnx", "webgpu")).toMatchObject({ usable: false, reason });
  });
});

describe("TensorFlow", () => {
  const missing =
    "Error: libcudart.so.12: cannot open shared object file: No such file or directory\n    at x\nW0000 Cannot dlopen some GPU libraries.";

  const cuInit = (error: string) =>
    `E0000 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: ${error}\nError: TensorFlow found no GPU that it can use\n`;

  const installed: EnginePackage[] = ["tfjs-node", "tfjs-node-gpu"];

  test("is not asked for a card where there is none", async () => {
    const { of, probed } = await devicesOf({ installed, probes: { "tfjs-node": works } });
    expect(of("tfjs", "tfjs-node")).toMatchObject({ usable: true, kind: "processor" });
    expect(of("tfjs", "tfjs-node-gpu")).toMatchObject({
      name: "none",
      reason: "no NVIDIA GPU with a driver was found",
    });
    expect(probed.sort()).toEqual(["tfjs-node", "webgpu"]);
  });

  test.runIf(catalog["tfjs-node-gpu"].wheels)("is not asked for a card whose driver is too old", async () => {
    const { of, probed } = await devicesOf({ gpus: [card(0, { driver: "470.57.02" })], installed });
    expect(of("tfjs", "tfjs-node-gpu")).toMatchObject({
      usable: false,
      reason: "NVIDIA's driver 470.57.02 is too old for CUDA 12",
      remedy: "install driver 525.60.13 or newer",
    });
    expect(probed.sort()).toEqual(["tfjs-node", "webgpu"]);
  });

  test.each([
    ["crash", { reason: "TensorFlow crashed, as it does on CPUs without AVX" }],
    ["time", { reason: "libtensorflow did not answer in time", remedy: "try again" }],
  ] as const)("asks for no driver where it ends by %s on the CPU", async (ended, why) => {
    const { of } = await devicesOf({ installed, probes: { "tfjs-node": { works: false, log: "", ended } } });
    const { reason, remedy } = of("tfjs", "tfjs-node")!;
    expect({ reason, ...(remedy ? { remedy } : {}) }).toEqual(why);
  });

  test("is offered for installation where there is a card", async () => {
    const { of } = await devicesOf({ gpus: [card(0)] });
    expect(of("tfjs", "tfjs-node-gpu")).toMatchObject({
      name: "NVIDIA H100",
      reason: "libtensorflow is not installed",
      remedy: "btx engines install tfjs-node-gpu",
      install: "tfjs-node-gpu",
    });
  });

  test.each([
    [missing, "libcudart.so.12, a part of CUDA, is missing"],
    [cuInit("UNKNOWN ERROR (303)"), "libcuda.so.1, a part of NVIDIA's driver, is missing"],
    [cuInit("CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected"), "the driver offers no CUDA device"],
    [cuInit("CUDA_ERROR_UNKNOWN: unknown error"), "CUDA could not start: CUDA_ERROR_UNKNOWN: unknown error"],
    ["Error: TensorFlow found no GPU that it can use\n    at y", "TensorFlow found no GPU that it can use"],
  ])("says why it does not compute on a card that is there", async (log, reason) => {
    const probes = { "tfjs-node-gpu": { works: false, log } };
    const { of } = await devicesOf({ gpus: [card(0)], installed: ["tfjs-node-gpu"], probes });
    expect(of("tfjs", "tfjs-node-gpu")).toMatchObject({ usable: false, reason, memory: 80e9 });
  });
});
