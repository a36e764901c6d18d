import { existsSync, readdirSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type EnginePackage, type EnginePackageStatus, enginePackageSchema } from "../protocol/devices.ts";
import { UserError } from "../protocol/errors.ts";
import { type CatalogEntry, catalog, installedFolder, installFolder, unavailable } from "./catalog.ts";
import { fetchProvider } from "./cudaProvider.ts";
import { type Fetch, sizeOfFolder } from "./fetch.ts";
import { fetchWithScript } from "./npm.ts";
import { fetchTensorFlow } from "./tensorflow.ts";

/**
 * Installing packages of engines, each in a folder of its own that is complete or absent: everything is fetched into a
 * folder beside it, which is renamed at the end and removed when anything goes wrong.
 */

export interface InstallOptions extends Pick<Fetch, "signal" | "onProgress"> {
  /** Where packages are installed. */
  root: string;
}

const partial = (name: EnginePackage) => `.installing-${name}-${process.pid}`;

/**
 * Installs a package and returns its folder; one that is installed is left as it is.
 * @throws UserError, or the signal's reason
 */
export async function installPackage(
  name: EnginePackage,
  options: InstallOptions,
  entry: CatalogEntry = catalog[name],
): Promise<string> {
  const { root, signal, onProgress } = options;
  const never = unavailable(name);
  if (never) throw new UserError(`${name} cannot be installed: ${never}`);
  const target = installFolder(name, root);
  if (existsSync(target)) return target;
  const folder = join(root, partial(name));
  await mkdir(folder, { recursive: true }).catch((error) => {
    throw writeError(error, root);
  });
  try {
    await removeLeftovers(root);
    await fetcher(name, entry)({ folder, name, entry, signal, onProgress });
    signal.throwIfAborted();
    // Another process may have been faster.
    await rename(folder, target).catch((error) => {
      if (!existsSync(target)) throw error;
    });
  } catch (error) {
    throw signal.aborted ? signal.reason : writeError(error, root);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
  for (const old of versionsOf(name, root)) {
    if (join(root, old) !== target) await rm(join(root, old), { recursive: true, force: true });
  }
  return target;
}

function fetcher(name: EnginePackage, { wheels }: CatalogEntry): (fetch: Fetch) => Promise<void> {
  if (name === "cuda") return fetchProvider;
  return wheels ? fetchTensorFlow : fetchWithScript;
}

/** Removes a package, in all its versions. Returns whether there was one. */
export async function removePackage(name: EnginePackage, root: string): Promise<boolean> {
  await removeLeftovers(root);
  const found = versionsOf(name, root);
  for (const folder of found) {
    // Renamed first: a folder that is half removed must not pass for an installed package.
    const going = join(root, `${partial(name)}-removed`);
    await rename(join(root, folder), going);
    await rm(going, { recursive: true, force: true, maxRetries: 3 });
  }
  return found.length > 0;
}

/** All packages that can be installed, and whether they are. */
export async function listPackages(root: string): Promise<EnginePackageStatus[]> {
  return Promise.all(
    enginePackageSchema.options.map(async (engine) => {
      const { version, description, bytes } = catalog[engine];
      const folder = installedFolder(engine, root);
      const never = unavailable(engine);
      return {
        engine,
        version,
        description,
        installed: folder !== undefined,
        folder: folder ?? installFolder(engine, root),
        bytes: folder ? await sizeOfFolder(folder) : bytes,
        ...(never ? { unavailable: never } : {}),
      };
    }),
  );
}

/** Names of the folders of a package, one a version. */
function versionsOf(name: EnginePackage, root: string): string[] {
  return existsSync(root) ? readdirSync(root).filter((folder) => new RegExp(`^${name}-\\d`).test(folder)) : [];
}

/** Removes what processes that were killed while installing left behind. */
async function removeLeftovers(root: string): Promise<void> {
  for (const name of existsSync(root) ? readdirSync(root) : []) {
    const pid = /^\.installing-.*?-(\d+)(?:-removed)?$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(root, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function writeError(error: unknown, root: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOSPC" || code === "EDQUOT")
    return new UserError(`the disk that holds ${root} is full: nothing was installed; free space, then try again`);
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new UserError(`"${root}" is not writable: name another folder with BTX_ENGINES`);
  if (code === "ENOTDIR" || code === "EEXIST")
    return new UserError(`"${root}" cannot be created: "${dirname(root)}" or a folder above it is a file`);
  return error;
}
