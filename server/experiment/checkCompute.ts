import { devicesOf, type EngineName } from "../protocol/devices.ts";
import type { Problem } from "./problem.ts";
import type { Experiment } from "./resolve.ts";

/** Devices that the engine does not have, and devices named twice. Whether this machine has them is seen when it runs. */
export function checkCompute({ compute, positions }: Experiment): Problem[] {
  const engine: EngineName = compute.engine === "auto" ? "onnx" : compute.engine;
  const names = compute.devices ?? [];
  return names.flatMap((name, i): Problem[] => {
    const path = ["devices", i];
    const add = (message: string): Problem[] => [{ ...positions.value(path), message, path, severity: "error" }];
    if (names.indexOf(name) < i) return add(`\`devices\` names \`${name}\` twice`);
    if (devicesOf[engine].includes(name)) return [];
    const other = Object.entries(devicesOf).find(([, devices]) => devices.includes(name))![0];
    return add(`\`${name}\` is a device of the engine \`${other}\`: set \`engine: ${other}\`, or name another device`);
  });
}
