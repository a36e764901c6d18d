import { existsSync, readdirSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type EnginePackage, type EnginePackageStatus, enginePackageSchema } from "../protocol/devices.ts";
import { UserError } from "../protocol/errors.ts";
import { type CatalogEntry, catalog, installedFolder, installFolder, unavailable } from "./catalog.ts";
import { fetchProvider } from "./cudaProvider.ts";
import { type Fetch, sizeOfFolder } from "./fetch.ts";
import { fetchTensorFlow } from "./tensorflow.ts";

/**
 * Installs packages of engines, each into a folder of its own that is either complete or absent: everything is
 * downloaded into a folder next to it, which is renamed at the end, or removed on any error.
 */

export interface InstallOptions extends Pick<Fetch, "signal" | "onProgress"> {
  /** Where packages are installed. */
  root: string;
}

const partial = (name: EnginePackage) => `.installing-${name}-${process.pid}`;

/**
 * Installs a package, if it is not installed yet, and returns its folder.
 * @throws UserError, or the signal's reason
 */
export async function installPackage(
  name: EnginePackage,
  options: InstallOptions,
  entry: CatalogEntry = catalog[name],
): Promise<string> {
  const { root, signal, onProgress } = options;
  const problem = unavailable(name);
  if (problem) throw new UserError(`${name} cannot be installed: ${problem}`);
  const target = installFolder(name, root);
  if (existsSync(target)) return target;
  const folder = join(root, partial(name));
  await mkdir(folder, { recursive: true }).catch((error) => {
    throw writeError(error, root);
  });
  try {
    await removeLeftovers(root);
    const fetch = name === "cuda" ? fetchProvider : fetchTensorFlow;
    await fetch({ folder, name, entry, signal, onProgress });
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

/** Removes all versions of a package. Returns whether any was installed. */
export async function removePackage(name: EnginePackage, root: string): Promise<boolean> {
  await removeLeftovers(root);
  const found = versionsOf(name, root);
  for (const folder of found) {
    // Renamed first: a folder that is half removed must not look like an installed package.
    const removed = join(root, `${partial(name)}-removed`);
    await rename(join(root, folder), removed);
    await rm(removed, { recursive: true, force: true, maxRetries: 3 });
  }
  return found.length > 0;
}

/** All packages that can be installed, and whether each is installed. */
export async function listPackages(root: string): Promise<EnginePackageStatus[]> {
  return Promise.all(
    enginePackageSchema.options.map(async (engine) => {
      const { version, description, bytes } = catalog[engine];
      const folder = installedFolder(engine, root);
      const problem = unavailable(engine);
      return {
        engine,
        version,
        description,
        installed: folder !== undefined,
        folder: folder ?? installFolder(engine, root),
        bytes: folder ? await sizeOfFolder(folder) : bytes,
        ...(problem ? { unavailable: problem } : {}),
      };
    }),
  );
}

/** Names of the folders of a package, one for each version. */
function versionsOf(name: EnginePackage, root: string): string[] {
  return existsSync(root) ? readdirSync(root).filter((folder) => new RegExp(`^${name}-\\d`).test(folder)) : [];
}

/** Removes the folders that processes left behind when they were killed while installing. */
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
