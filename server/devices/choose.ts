import { installedFolder } from "../install/catalog.ts";
import { type Compute, type Device, type EngineName, whyText } from "../protocol/devices.ts";
import { UserError } from "../protocol/errors.ts";
import { mayHaveGpu } from "./adapter.ts";
import { cpuDevice, listDevices } from "./list.ts";

/** The engine and devices of a run. */
export interface Choice {
  engine: EngineName;
  /** At least one. */
  devices: Device[];
  /** Why these were chosen, for display. */
  why: string;
}

/** Finds the devices that an experiment asks for on this machine; tries only the relevant ones. @throws UserError */
export async function findDevices(compute: Compute): Promise<Choice> {
  const engine = engineOf(compute);
  const onlyCpu = compute.devices?.every((name) => name === "cpu");
  const nothingElse =
    !compute.devices &&
    (engine === "onnx" ? !mayHaveGpu() : !installedFolder("tfjs-node-gpu") && !installedFolder("tfjs-node"));
  if (onlyCpu || nothingElse) return chooseDevices(compute, [cpuDevice(engine)]);
  return chooseDevices(compute, await listDevices());
}

const engineOf = ({ engine }: Compute): EngineName => (engine === "auto" ? "onnx" : engine);

/** The devices that an experiment asks for, or else the best available. @throws UserError naming the available ones */
export function chooseDevices(compute: Compute, found: readonly Device[]): Choice {
  const engine = engineOf(compute);
  const all = found.filter((device) => device.engine === engine);
  if (compute.devices) return { engine, devices: requested(compute.devices, all), why: "as requested" };
  const best = engine === "onnx" ? bestOfOnnx(all) : bestOfTfjs(all);
  return { engine, ...best };
}

function requested(names: readonly string[], all: readonly Device[]): Device[] {
  const devices = names.flatMap((name) => {
    const named = all.filter(({ device }) => device === name || device.startsWith(`${name}:`));
    const usable = named.filter((device) => device.usable);
    if (usable.length > 0) return usable;
    const [first] = named;
    const there = all.filter((device) => device.usable).map(({ device }) => device);
    if (!first)
      throw new UserError(`there is no device "${name}" on this machine: \`devices\` can name ${there.join(", ")}`);
    throw new UserError(`the device ${name} cannot be used: ${whyText(first)}`);
  });
  return [...new Set(devices)];
}

function bestOfOnnx(all: readonly Device[]): Omit<Choice, "engine"> {
  const gpus = all.filter(({ device, usable }) => usable && device.startsWith("cuda:"));
  const adapter = all.find(({ device }) => device === "webgpu");
  // The CUDA provider copies the whole state in and out in every step; with WebGPU it stays on the GPU.
  if (gpus.length === 1 && adapter?.usable && adapter.name === gpus[0]!.name)
    return { devices: [adapter], why: "a GPU is preferred, and WebGPU keeps the model on it between steps" };
  if (gpus.length > 0) return { devices: gpus, why: gpus.length > 1 ? "GPUs are preferred" : "a GPU is preferred" };
  if (adapter?.usable && adapter.kind === "gpu") return { devices: [adapter], why: "a GPU is preferred" };
  const why =
    adapter?.kind === "software"
      ? `${adapter.name} is a software adapter, which is used only on request`
      : "no usable GPU was found: `btx devices` says why";
  return { devices: [all.find(({ device }) => device === "cpu")!], why };
}

function bestOfTfjs(all: readonly Device[]): Omit<Choice, "engine"> {
  const order = ["tfjs-node-gpu", "tfjs-node", "cpu"];
  const device = order.flatMap((name) => all.find((one) => one.device === name && one.usable) ?? [])[0]!;
  const why =
    device.device === "cpu"
      ? "neither tfjs-node-gpu nor tfjs-node can be used on this machine"
      : "the fastest TensorFlow.js device on this machine";
  return { devices: [device], why };
}

/** "onnx on cuda:0 (NVIDIA H100) and cuda:1 (NVIDIA H100): GPUs are preferred" */
export function choiceText({ engine, devices, why }: Choice): string {
  return `${engine} on ${devices.map(({ device, name }) => `${device} (${name})`).join(" and ")}: ${why}`;
}
