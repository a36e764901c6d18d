/**
 * Loaded into every process of a command by NODE_OPTIONS: stops a process for good in the middle of writing a file, so
 * that a test can kill it there however fast the machine is. BTX_TEST_HOLD has the folder: its nth file with a
 * temporary name like `name` is cut to this part of its length and never gets its own name; `held` is written then.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { relative } from "node:path";

const { folder, name, nth, part, held } = JSON.parse(process.env.BTX_TEST_HOLD);
const pattern = new RegExp(name);
let seen = 0;

function hold(from) {
  if (!pattern.test(relative(folder, from)) || ++seen < nth) return;
  const file = fs.statSync(from);
  if (file.isFile()) fs.truncateSync(from, Math.floor(part * file.size));
  fs.writeFileSync(held, "");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

for (const module of [fs, fs.promises]) {
  for (const key of ["rename", "renameSync"]) {
    const original = module[key];
    if (!original) continue;
    module[key] = (from, ...rest) => {
      hold(from);
      return original.call(module, from, ...rest);
    };
  }
}
syncBuiltinESMExports();
