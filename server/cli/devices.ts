import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { bytes } from "../protocol/format.ts";
import { exitStatus, parse, printJson } from "./command.ts";

/** `btx devices` */
export async function devices(args: string[]): Promise<number> {
  const { values } = parse(args, { json: { type: "boolean" } }, 0);
  const device = {
    engine: "onnx",
    device: "cpu",
    name: cpus()[0]?.model.trim() || process.arch,
    cores: availableParallelism(),
    memory: totalmem(),
    freeMemory: freemem(),
  };
  if (values.json) printJson(device);
  else {
    const { name, cores, memory, freeMemory } = device;
    process.stdout.write(`onnx  cpu  ${name}, ${cores} cores, ${bytes(memory)} memory (${bytes(freeMemory)} free)\n`);
  }
  return exitStatus.done;
}
