import { type Choice, findDevices } from "../devices/choose.ts";
import type { Machine } from "../experiment/checkMemory.ts";
import { type Compute, computeSchema, deviceNameSchema, devicesOf, engineChoiceSchema } from "../protocol/devices.ts";
import { UserError } from "../protocol/errors.ts";
import { CommandError } from "./command.ts";

/** The engine and devices of a run: those of the file, unless the command line overrides them. */

export function requestedCompute(values: { engine?: string; device?: string[] }, of: Compute): Compute {
  if (values.engine === undefined && values.device === undefined) return of;
  const devices = values.device?.flatMap((names) => names.split(","));
  const wrong = devices?.find((name) => !deviceNameSchema.safeParse(name).success);
  if (wrong !== undefined) throw new CommandError(`--device takes a device that \`btx devices\` lists, not "${wrong}"`);
  const parsed = computeSchema.safeParse({
    engine: values.engine ?? engineFor(devices) ?? of.engine,
    ...(devices ? { devices: [...new Set(devices)] } : {}),
  });
  if (parsed.success) return parsed.data;
  throw new CommandError(`--engine takes ${engineChoiceSchema.options.join(", ")}, not "${values.engine}"`);
}

/** The only engine that has one of these devices. */
function engineFor(devices: readonly string[] = []): Compute["engine"] | undefined {
  const onlyOf = (name: string) => Object.entries(devicesOf).filter(([, all]) => (all as string[]).includes(name));
  const owners = devices.map(onlyOf).find((engines) => engines.length === 1);
  return owners?.[0]?.[0] as Compute["engine"] | undefined;
}

/** @throws CommandError if a device does not exist or cannot be used */
export async function chosenDevices(compute: Compute): Promise<Choice> {
  try {
    return await findDevices(compute);
  } catch (error) {
    if (error instanceof UserError) throw new CommandError(error.message);
    throw error;
  }
}

/** The memory that a model must fit in: that of the smallest GPU. Undefined: this machine's. */
export function memoryOf({ devices }: Choice): Machine | undefined {
  const gpus = devices.filter(({ kind, memory }) => kind !== "processor" && memory);
  const smallest = gpus.sort((a, b) => a.memory! - b.memory!)[0];
  if (!smallest) return undefined;
  const { device, name, memory, freeMemory } = smallest;
  return { memory: memory!, free: freeMemory ?? memory!, name: `${device} (${name})`, stateTwice: true };
}
