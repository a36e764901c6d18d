import { existsSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import os from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import * as z from "zod";

/**
 * A process that trains nothing, but saves as training does: `takenOver.js FOLDER STEPS HOST`, on a machine of that
 * name. It holds the folder's lock, goes on from the saved state, adds a line for each step and saves now and then.
 */
const [folder, steps, host] = process.argv.slice(2) as [string, string, string];
os.hostname = () => host;
syncBuiltinESMExports();
const { openLines } = await import("../../../server/disk/append.ts");
const { remove, removeLeftovers, writeJson } = await import("../../../server/disk/atomic.ts");
const { TakenOver } = await import("../../../server/disk/fence.ts");
const { acquireLock } = await import("../../../server/runs/lock.ts");
const { readJson } = await import("../../../server/runs/read.ts");

const saved = z.object({ step: z.int(), value: z.int() });
const next = (value: number): number => (value * 48271) % 2147483647;
try {
  const lock = acquireLock(folder, "the work");
  await removeLeftovers(folder);
  if (existsSync(join(folder, "result.json"))) {
    process.stdout.write("done\n");
    process.exit();
  }
  const path = join(folder, "state.json");
  let { step, value } = (await readJson(path, saved)) ?? { step: 0, value: 1 };
  const lines = openLines(join(folder, "lines.jsonl"), saved);
  lines.truncateTo((line) => line.step <= step);
  process.stdout.write(`held ${step}\n`);
  while (step < Number(steps)) {
    value = next(value);
    lines.append({ step: ++step, value });
    if (step % 16 !== 0) continue;
    lines.sync();
    await writeJson(path, { step, value });
    await setImmediate();
  }
  lines.sync();
  lines.close();
  await writeJson(join(folder, "result.json"), { step, value });
  await remove(path);
  lock.release();
  process.stdout.write("done\n");
} catch (error) {
  process.stdout.write(`${error instanceof TakenOver ? "taken over" : "failed"}: ${String(error)}\n`);
  process.exitCode = 1;
}
