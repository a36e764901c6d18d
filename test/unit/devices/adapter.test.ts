import { totalmem } from "node:os";
import { expect, test } from "vitest";
import { isSoftware, macAdapter, mayHaveGpu, windowsAdapter } from "../../../server/devices/adapter.ts";
import { isOlder, parseNvidiaSmi } from "../../../server/devices/nvidia.ts";

test("nvidia-smi's lines become cards with bytes of memory; a card that shares the machine's has none of its own", () => {
  const text = "0, NVIDIA H100 80GB HBM3, 81559, 81003, 580.95.05\n1, NVIDIA GB10, [N/A], [N/A], 580.95.05\n";
  expect(parseNvidiaSmi(text)).toEqual([
    {
      index: 0,
      name: "NVIDIA H100 80GB HBM3",
      memory: 81559 * 2 ** 20,
      freeMemory: 81003 * 2 ** 20,
      driver: "580.95.05",
    },
    { index: 1, name: "NVIDIA GB10", memory: 0, freeMemory: 0, driver: "580.95.05" },
  ]);
  expect(parseNvidiaSmi("No devices were found\n")).toEqual([]);
  expect(parseNvidiaSmi("")).toEqual([]);
});

test.each([
  ["535.104", "580.65.06", true],
  ["580.65.06", "580.65.06", false],
  ["580.65", "580.65.06", true],
  ["580.100.01", "580.65.06", false],
  ["1000", "580.65.06", false],
])("driver %s is older than %s: %s", (found, least, older) => {
  expect(isOlder(found, least)).toBe(older);
});

test("macOS tells an adapter's name; it shares the machine's memory, unless it has its own", () => {
  const report = (adapter: object) => JSON.stringify({ SPDisplaysDataType: [adapter] });
  expect(macAdapter(report({ _name: "Apple M2", sppci_model: "Apple M2" }))).toMatchObject({
    name: "Apple M2",
    software: false,
    memory: totalmem(),
  });
  const own = report({ sppci_model: "AMD Radeon Pro 5500M", spdisplays_vram: "8 GB" });
  expect(macAdapter(own)).toMatchObject({ name: "AMD Radeon Pro 5500M", memory: 8 * 2 ** 30 });
  expect(macAdapter("")).toMatchObject({ name: "a graphics adapter" });
});

test("Windows tells of one adapter or of several; a real one comes before Microsoft's in software", () => {
  const basic = { Name: "Microsoft Basic Render Driver", DriverVersion: "10.0", AdapterRAM: null };
  const card = { Name: "NVIDIA GeForce RTX 4090", DriverVersion: "32.0.15.6094", AdapterRAM: 4293918720 };
  expect(windowsAdapter(JSON.stringify([basic, card]))).toEqual({
    name: "NVIDIA GeForce RTX 4090",
    driver: "32.0.15.6094",
    software: false,
  });
  expect(windowsAdapter(JSON.stringify(basic))).toMatchObject({ name: basic.Name, software: true });
  expect(windowsAdapter("")).toMatchObject({ name: "a graphics adapter" });
});

test("drivers that compute on the CPU are known by their names, and real ones are not taken for them", () => {
  for (const name of ["llvmpipe (LLVM 15)", "SwiftShader Device", "Microsoft Basic Render Driver"])
    expect(isSoftware(name), name).toBe(true);
  for (const name of ["NVIDIA H100", "AMD Radeon (RADV NAVI31)", "Intel(R) Arc(tm) A770", "Apple M2"])
    expect(isSoftware(name), name).toBe(false);
});

test("Linux without the files of a GPU has no GPU", () => {
  expect(mayHaveGpu("linux", ["null", "card0", "nvidiactl"])).toBe(false);
  for (const file of ["renderD128", "nvidia0", "dxg"]) expect(mayHaveGpu("linux", [file]), file).toBe(true);
  expect(mayHaveGpu("darwin", [])).toBe(true);
});
