import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../protocol/errors.ts";
import { type Fetch, watchGrowth } from "./fetch.ts";
import { fetchError, npm, run } from "./program.ts";

/** A package of npm with what its own install script fetches: libtensorflow and the binding to it. */
export async function fetchWithScript(fetch: Fetch): Promise<void> {
  const { folder, engine } = fetch;
  const said = await installPackages(fetch, { scripts: true });
  const library = join(folder, "node_modules/@tensorflow", engine, "lib");
  const bindings = existsSync(library) ? await readdir(library, { recursive: true }) : [];
  if (bindings.some((file) => file.endsWith("tfjs_binding.node"))) return;
  if (/rror|refused|reach/i.test(said)) throw fetchError(said, "libtensorflow");
  throw new UserError(`the install script of @tensorflow/${engine} left no binding to libtensorflow: try again`);
}

/** About how much the packages of TensorFlow.js take on a disk, without libtensorflow. */
const packageBytes = 290e6;

/**
 * Installs an engine's package of npm into its folder; gives what npm said.
 * @param scripts whether install scripts are run, which fetch libtensorflow
 * @param others packages with their versions
 */
export async function installPackages(
  { folder, engine, entry, signal, onProgress }: Fetch,
  { scripts, others = [] }: { scripts: boolean; others?: string[] },
): Promise<string> {
  await writeFile(join(folder, "package.json"), `${JSON.stringify({ private: true })}\n`);
  const options = ["--no-audit", "--no-fund", "--loglevel=error", "--foreground-scripts", "--save-exact"];
  const packages = [`@tensorflow/${engine}@${entry.npm}`, ...others];
  const command = [...npm(), "install", "--prefix", folder, `--ignore-scripts=${!scripts}`, ...options, ...packages];
  // Settings of the npm that may have started this process are not for this one.
  const env = Object.fromEntries(
    Object.keys(process.env)
      .filter((name) => /^npm_config_(prefix|ignore_scripts|local_prefix|global)/i.test(name))
      .map((name) => [name, undefined]),
  );
  const label = `@tensorflow/${engine} ${entry.npm}`;
  const fetching = run(command, { cwd: folder, env, signal });
  const total = scripts ? entry.bytes : packageBytes;
  const { good, said } = await watchGrowth(folder, { label, total, onProgress }, fetching);
  if (!good) throw fetchError(said, scripts ? "libtensorflow" : label);
  return said;
}
