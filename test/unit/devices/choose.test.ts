import { describe, expect, test } from "vitest";
import { choiceText, chooseDevices, findDevices } from "../../../server/devices/choose.ts";
import type { Device } from "../../../server/protocol/devices.ts";

const device = (engine: "onnx" | "tfjs", name: string, more: Partial<Device> = {}): Device => ({
  engine,
  device: name,
  name: `${name}!`,
  kind: /^(cuda|webgpu|tfjs-node-gpu)/.test(name) ? "gpu" : "processor",
  usable: true,
  ...more,
});
const cpu = device("onnx", "cpu");
const webgpu = device("onnx", "webgpu");
const software = device("onnx", "webgpu", { kind: "software" });
const none = device("onnx", "webgpu", { usable: false, reason: "no adapter", remedy: "buy one" });
const cards = [device("onnx", "cuda:0"), device("onnx", "cuda:1")];
const names = (found: { devices: Device[] }) => found.devices.map((one) => one.device);
const auto = (...found: Device[]) => chooseDevices({ engine: "auto" }, found);

describe("auto", () => {
  test.each([
    ["all CUDA cards", [cpu, webgpu, ...cards], ["cuda:0", "cuda:1"]],
    ["those of them that can be used", [cpu, { ...cards[0]!, usable: false }, cards[1]!], ["cuda:1"]],
    ["the GPU of WebGPU", [cpu, webgpu], ["webgpu"]],
    ["the one CUDA card by WebGPU", [cpu, { ...webgpu, name: "H100" }, { ...cards[0]!, name: "H100" }], ["webgpu"]],
    ["the one CUDA card where WebGPU reaches another", [cpu, webgpu, cards[0]!], ["cuda:0"]],
    ["the CPU rather than a software adapter", [cpu, software], ["cpu"]],
    ["the CPU where nothing else can be used", [cpu, none], ["cpu"]],
  ] as const)("takes %s", (_, found, expected) => {
    expect(names(auto(...found))).toEqual(expected);
  });

  test("says why", () => {
    expect(choiceText(auto(cpu, ...cards))).toBe("onnx on cuda:0 (cuda:0!) and cuda:1 (cuda:1!): GPUs are preferred");
    expect(auto(cpu, software).why).toBe("webgpu! is a software adapter, which is used only on request");
    expect(auto(cpu, none).why).toContain("no usable GPU was found");
  });

  test("does not look for GPUs where the CPU is asked for", async () => {
    expect(names(await findDevices({ engine: "auto", devices: ["cpu"] }))).toEqual(["cpu"]);
  });
});

describe("devices that are asked for", () => {
  const ask = (devices: string[], ...found: Device[]) =>
    chooseDevices({ engine: "onnx", devices: devices as ["cpu"] }, found);

  test("are taken, a software adapter too, each once and in that order", () => {
    expect(names(ask(["webgpu"], cpu, software))).toEqual(["webgpu"]);
    expect(names(ask(["cuda:1", "cpu"], cpu, ...cards))).toEqual(["cuda:1", "cpu"]);
    expect(names(ask(["cuda:1", "cuda"], cpu, ...cards))).toEqual(["cuda:1", "cuda:0"]);
  });

  test("and are not there, or cannot be used, are told with what there is to do", () => {
    expect(() => ask(["cuda:3"], cpu, ...cards)).toThrow(
      'there is no device "cuda:3" on this machine: `devices` can name cpu, cuda:0, cuda:1',
    );
    expect(() => ask(["webgpu"], cpu, none)).toThrow("the device webgpu cannot be used: no adapter: buy one");
  });
});

test("tfjs takes its GPU, else libtensorflow on the CPU, else plain JavaScript", () => {
  const all = ["tfjs-node-gpu", "tfjs-node", "cpu"].map((name) => device("tfjs", name));
  const best = (found: Device[]) => names(chooseDevices({ engine: "tfjs" }, [cpu, ...cards, ...found]))[0];
  expect(best(all)).toBe("tfjs-node-gpu");
  expect(best(all.map((one, i) => ({ ...one, usable: i > 0 })))).toBe("tfjs-node");
  expect(best(all.map((one, i) => ({ ...one, usable: i > 1 })))).toBe("cpu");
});
