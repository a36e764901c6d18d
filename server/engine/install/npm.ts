import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../protocol/errors.ts";
import { type Fetch, watchGrowth } from "./fetch.ts";
import { fetchError, npm, run } from "./program.ts";

/** A package of npm with what its own install script fetches: libtensorflow and the binding to it. */
export async function fetchNpm({ folder, engine, entry, signal, onProgress }: Fetch): Promise<void> {
  const { version, bytes } = entry;
  await writeFile(join(folder, "package.json"), `${JSON.stringify({ private: true })}\n`);
  const options = ["--ignore-scripts=false", "--no-audit", "--no-fund", "--loglevel=error", "--foreground-scripts"];
  const command = [
    ...npm(),
    "install",
    "--prefix",
    folder,
    ...options,
    "--save-exact",
    `@tensorflow/${engine}@${version}`,
  ];
  const label = `@tensorflow/${engine} ${version}`;
  // Settings of the npm that may have started this process are not for this one.
  const env = Object.fromEntries(
    Object.keys(process.env)
      .filter((name) => /^npm_config_(prefix|ignore_scripts|local_prefix|global)/i.test(name))
      .map((name) => [name, undefined]),
  );
  const fetching = run(command, { cwd: folder, env, signal });
  const { good, said } = await watchGrowth(folder, { label, total: bytes, onProgress }, fetching);
  if (!good) throw fetchError(said, "libtensorflow");
  const packaged = join(folder, "node_modules/@tensorflow", engine);
  const library = join(packaged, "lib");
  const bindings = existsSync(library) ? await readdir(library, { recursive: true }) : [];
  if (bindings.some((file) => file.endsWith("tfjs_binding.node"))) return;
  if (/rror|refused|reach/i.test(said)) throw fetchError(said, "libtensorflow");
  throw new UserError(`the install script of @tensorflow/${engine} left no binding to libtensorflow: try again`);
}
