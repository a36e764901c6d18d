import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { acquireLock } from "../../../server/runs/lock.ts";

/** Adds 1 to a counter file `times` times, each under the lock: two holders at once would lose a count. */
const [folder, times] = process.argv.slice(2);
const counter = join(folder!, "counter");
for (let done = 0; done < Number(times); ) {
  let lock: ReturnType<typeof acquireLock>;
  try {
    lock = acquireLock(folder!, "the counter");
  } catch (error) {
    if (!String(error).includes("is being run by process")) throw error;
    await setTimeout(1);
    continue;
  }
  const value = Number(readFileSync(counter, "utf8"));
  writeFileSync(counter, String(value + 1));
  lock.check();
  lock.release();
  done++;
}
