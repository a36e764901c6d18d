import { devicesOf, type EngineName } from "../protocol/devices.ts";
import type { Path, Problem } from "./problem.ts";
import type { Experiment } from "./resolve.ts";

/**
 * Devices that the engine does not have, devices named twice, and devices without float16 where training needs it.
 * Whether this machine has the devices is found out when it runs.
 */
export const checkCompute = (experiment: Experiment): Problem[] => [
  ...checkDevices(experiment),
  ...checkPrecision(experiment),
];

const mistake = (positions: Experiment["positions"], path: Path, message: string): Problem => ({
  ...positions.value(path),
  message,
  path,
  severity: "error",
});

function checkPrecision({ compute, positions, domains, seed, finetune }: Experiment): Problem[] {
  const trained = [...domains.values(), ...("from" in seed ? [] : [seed]), finetune];
  if (!trained.some(({ training }) => training.precision === "float16")) return [];
  if (compute.engine === "tfjs")
    return [
      mistake(positions, ["engine"], "`tfjs` does not support float16: set `engine: onnx`, or `precision: float32`"),
    ];
  const at = compute.devices?.indexOf("cpu") ?? -1;
  if (at < 0) return [];
  return [
    mistake(
      positions,
      ["devices", at],
      "`cpu` trains in float32 only: name a GPU instead, or set `precision: float32`",
    ),
  ];
}

function checkDevices({ compute, positions }: Experiment): Problem[] {
  const engine: EngineName = compute.engine === "auto" ? "onnx" : compute.engine;
  const names = compute.devices ?? [];
  return names.flatMap((name, i): Problem[] => {
    const add = (message: string): Problem[] => [mistake(positions, ["devices", i], message)];
    if (names.indexOf(name) < i) return add(`\`devices\` names \`${name}\` twice`);
    if (devicesOf[engine].includes(name)) return [];
    const other = Object.entries(devicesOf).find(([, devices]) => devices.includes(name))![0];
    return add(`\`${name}\` is a device of the engine \`${other}\`: set \`engine: ${other}\`, or name another device`);
  });
}
