import { existsSync, readdirSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Installable, type InstallableEngine, installableSchema } from "../protocol/devices.ts";
import { UserError } from "../protocol/errors.ts";
import { type CatalogEntry, catalog, engineFolder, installedFolder, unavailable } from "./catalog.ts";
import { type Fetch, sizeOfFolder } from "./fetch.ts";
import { fetchWithScript } from "./npm.ts";
import { fetchProvider } from "./provider.ts";
import { fetchTensorFlow } from "./tensorflow.ts";

/**
 * Installing engines, each in a folder of its own that is there whole or not at all: everything is fetched into a folder
 * beside it, which is renamed at the end and removed when anything goes wrong.
 */

export interface InstallOptions extends Pick<Fetch, "signal" | "onProgress"> {
  /** Where engines are installed. */
  root: string;
}

const partial = (engine: string) => `.installing-${engine}-${process.pid}`;

/**
 * Installs an engine and returns its folder; one that is installed is left as it is.
 * @throws UserError, or the signal's reason
 */
export async function installEngine(
  engine: Installable,
  options: InstallOptions,
  entry: CatalogEntry = catalog[engine],
): Promise<string> {
  const { root, signal, onProgress } = options;
  const never = unavailable(engine);
  if (never) throw new UserError(`${engine} cannot be installed: ${never}`);
  const target = engineFolder(engine, root);
  if (existsSync(target)) return target;
  const folder = join(root, partial(engine));
  await mkdir(folder, { recursive: true }).catch((error) => {
    throw writeError(error, root);
  });
  try {
    await removeLeftovers(root);
    await fetcher(engine, entry)({ folder, engine, entry, signal, onProgress });
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
  for (const old of versionsOf(engine, root)) {
    if (join(root, old) !== target) await rm(join(root, old), { recursive: true, force: true });
  }
  return target;
}

function fetcher(engine: Installable, { wheels }: CatalogEntry): (fetch: Fetch) => Promise<void> {
  if (engine === "cuda") return fetchProvider;
  return wheels ? fetchTensorFlow : fetchWithScript;
}

/** Removes an engine, in all its versions. Returns whether there was one. */
export async function removeEngine(engine: Installable, root: string): Promise<boolean> {
  await removeLeftovers(root);
  const found = versionsOf(engine, root);
  for (const name of found) {
    // Renamed first: a folder that is half gone must not pass for an engine.
    const going = join(root, `${partial(engine)}-removed`);
    await rename(join(root, name), going);
    await rm(going, { recursive: true, force: true, maxRetries: 3 });
  }
  return found.length > 0;
}

/** All engines that can be installed, and whether they are. */
export async function listEngines(root: string): Promise<InstallableEngine[]> {
  return Promise.all(
    installableSchema.options.map(async (engine) => {
      const { version, description, bytes } = catalog[engine];
      const folder = installedFolder(engine, root);
      const never = unavailable(engine);
      return {
        engine,
        version,
        description,
        installed: folder !== undefined,
        folder: folder ?? engineFolder(engine, root),
        bytes: folder ? await sizeOfFolder(folder) : bytes,
        ...(never ? { unavailable: never } : {}),
      };
    }),
  );
}

function versionsOf(engine: Installable, root: string): string[] {
  return existsSync(root) ? readdirSync(root).filter((name) => new RegExp(`^${engine}-\\d`).test(name)) : [];
}

/** Removes what processes left behind that were killed while they installed. */
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
    return new UserError(`${root} may not be written: name another folder with BTX_ENGINES`);
  if (code === "ENOTDIR" || code === "EEXIST")
    return new UserError(`${root} cannot be made, because ${dirname(root)} or a part of it is a file`);
  return error;
}
