import { once } from "node:events";
import { acquireLock } from "../../../server/runs/lock.ts";

/** A process that, when told, tries to take a folder's lock, says how it went, and keeps it until it is killed. */
const folder = process.argv[2]!;
process.stdout.write("ready\n");
await once(process.stdin, "data");
try {
  acquireLock(folder, 'stage "seed"', { runner: process.ppid });
  process.stdout.write("held\n");
} catch (error) {
  process.stdout.write(`${String(error)}\n`);
}
process.stdin.resume();
