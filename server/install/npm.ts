import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../protocol/errors.ts";
import { fetchError, npm, run } from "./clients.ts";
import { type Fetch, watchGrowth } from "./fetch.ts";

/** Installs an npm package and runs its own install script, which fetches libtensorflow and the binding to it. */
export async function fetchWithScript(fetch: Fetch): Promise<void> {
  const { folder, name } = fetch;
  const output = await installPackages(fetch, { scripts: true });
  const library = join(folder, "node_modules/@tensorflow", name, "lib");
  const bindings = existsSync(library) ? await readdir(library, { recursive: true }) : [];
  if (bindings.some((file) => file.endsWith("tfjs_binding.node"))) return;
  if (/rror|refused|reach/i.test(output)) throw fetchError(output, "libtensorflow");
  throw new UserError(`the install script of @tensorflow/${name} left no binding to libtensorflow: try again`);
}

/** Approximate size of TensorFlow.js' packages on a disk, without libtensorflow. */
const packageBytes = 290e6;

/**
 * Installs an npm package into its folder; returns npm's output.
 * @param scripts whether install scripts are run, which fetch libtensorflow
 * @param others packages with their versions
 */
export async function installPackages(
  { folder, name, entry, signal, onProgress }: Fetch,
  { scripts, others = [] }: { scripts: boolean; others?: string[] },
): Promise<string> {
  await writeFile(join(folder, "package.json"), `${JSON.stringify({ private: true })}\n`);
  const options = ["--no-audit", "--no-fund", "--loglevel=error", "--foreground-scripts", "--save-exact"];
  const packages = [`@tensorflow/${name}@${entry.npm}`, ...others];
  const command = [...npm(), "install", "--prefix", folder, `--ignore-scripts=${!scripts}`, ...options, ...packages];
  // The settings of an npm that started this process must not reach this one.
  const env = Object.fromEntries(
    Object.keys(process.env)
      .filter((name) => /^npm_config_(prefix|ignore_scripts|local_prefix|global)/i.test(name))
      .map((name) => [name, undefined]),
  );
  const label = `@tensorflow/${name} ${entry.npm}`;
  const fetching = run(command, { cwd: folder, env, signal });
  const total = scripts ? entry.bytes : packageBytes;
  const { good, output } = await watchGrowth(folder, { label, total, onProgress }, fetching);
  if (!good) throw fetchError(output, scripts ? "libtensorflow" : label);
  return output;
}
