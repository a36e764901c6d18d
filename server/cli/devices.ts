import { listDevices } from "../devices/list.ts";
import { type Device, whyText } from "../protocol/devices.ts";
import { bytes } from "../protocol/format.ts";
import { exitStatus, parse, printJson } from "./command.ts";

/** `btx devices` */
export async function devices(args: string[]): Promise<number> {
  const { values } = parse(args, { json: { type: "boolean" } }, 0);
  const found = await listDevices();
  for (const device of found) {
    if (values.json) printJson(device);
    else process.stdout.write(`${line(device, found)}\n`);
  }
  return exitStatus.done;
}

/** "onnx  cpu     yes  AMD EPYC, 2 cores, 23 GB memory (11 GB free)" */
function line(device: Device, all: Device[]): string {
  const width = Math.max(...all.map((one) => one.device.length));
  const { engine, name, cores, memory, freeMemory, driver, usable } = device;
  const free = freeMemory === undefined ? "" : ` (${bytes(freeMemory)} free)`;
  const facts = [
    name,
    ...(cores === undefined ? [] : [`${cores} ${cores === 1 ? "core" : "cores"}`]),
    ...(memory === undefined ? [] : [`${bytes(memory)} memory${free}`]),
    ...(driver === undefined ? [] : [`driver ${driver}`]),
  ].join(", ");
  const why = whyText(device);
  return `${engine}  ${device.device.padEnd(width)}  ${usable ? "yes" : "no "}  ${facts}${why ? `; ${why}` : ""}`;
}
