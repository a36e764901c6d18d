import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fetchError, npm, run } from "./clients.ts";
import { type Fetch, watchGrowth } from "./fetch.ts";

/** Approximate size of TensorFlow.js's packages on a disk. */
const packageBytes = 290e6;

/**
 * Installs the npm packages of an engine into its folder, exactly those of its lock. npm refuses a package whose
 * checksum differs, and runs no install script.
 */
export async function installPackages({ folder, name, entry, signal, onProgress }: Fetch): Promise<void> {
  const lock = await entry.npm!.lock();
  const { dependencies } = lock.packages[""]!;
  await writeFile(join(folder, "package.json"), `${JSON.stringify({ private: true, dependencies })}\n`);
  await writeFile(join(folder, "package-lock.json"), `${JSON.stringify(lock)}\n`);
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const command = [...npm, "ci", "--prefix", folder, ...options];
  // The settings of an npm that started this process must not reach this one.
  const env = Object.fromEntries(
    Object.keys(process.env)
      .filter((name) => /^npm_config_(prefix|ignore_scripts|local_prefix|global|omit|include)/i.test(name))
      .map((name) => [name, undefined]),
  );
  const label = `@tensorflow/${name} ${entry.npm!.version}`;
  const fetching = run(command, { cwd: folder, env, signal });
  const { good, output } = await watchGrowth(folder, { label, total: packageBytes, onProgress }, fetching);
  if (!good) throw fetchError(output, label);
}
