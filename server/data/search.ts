import { type Dirent, realpath, type Stats, stat } from "node:fs";
import { opendir, stat as statAsync } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { type FileSystemAdapter, type GlobOptions, glob } from "tinyglobby";
import { diskError, hasCode } from "../disk/errors.ts";
import { kernelFileSystem } from "../disk/kernelFileSystems.ts";
import { assertInReach, OutOfReachError } from "../disk/reach.ts";
import { UserError } from "../protocol/errors.ts";

/** How much one search for files may take. */
export interface SearchLimits {
  /** Files and folders that are looked at. */
  entries: number;
  /** Characters of the paths of files that are looked at, which bound the memory for those that match. */
  characters: number;
  ms: number;
}

export const standardLimits: SearchLimits = { entries: 1_000_000, characters: 256 << 20, ms: 60_000 };

/** Folders read at a time. */
const atOnce = 8;
/** Folders whose device is remembered, for the folders in them. */
const mostDevices = 10_000;

export interface SearchOptions {
  limits?: SearchLimits;
  /** Ends the search. */
  signal?: AbortSignal | undefined;
}

/**
 * A search for files, over one or several patterns, within limits of entries, memory and time.
 *
 * It stays on the file system that a pattern begins on: a folder on which another one is mounted is left out, and is
 * searched if a pattern names it. Links are followed, also to other file systems, but not to a folder that contains
 * them. File systems whose files the kernel makes up are left out.
 */
export class Search {
  readonly #limits: SearchLimits;
  readonly #signal: AbortSignal | undefined;
  readonly #until: number;
  #entries = 0;
  #characters = 0;
  /** A folder of another file system that was left out. */
  leftOut: string | undefined;

  constructor({ limits = standardLimits, signal }: SearchOptions = {}) {
    this.#limits = limits;
    this.#signal = signal;
    this.#until = performance.now() + limits.ms;
  }

  /**
   * The files that match.
   *
   * @param pattern for `tinyglobby`. @param name as the person wrote it, for errors.
   * @throws UserError when the limits are reached or nothing can be found there.
   */
  async files(pattern: string, name: string, options: GlobOptions): Promise<string[]> {
    let end: (error: unknown) => void = () => {};
    const ended = new Promise<never>((_, reject) => {
      end = reject;
    });
    ended.catch(() => {});
    const walk = new Walk(this, name, end);
    const cancel = (): void => walk.end(this.#signal?.reason);
    const timer = setTimeout(() => walk.end(this.#late(name)), Math.max(0, this.#until - performance.now()));
    this.#signal?.addEventListener("abort", cancel);
    try {
      this.check(name);
      return await Promise.race([glob(pattern, { ...options, fs: walk.fileSystem }), ended]);
    } finally {
      clearTimeout(timer);
      this.#signal?.removeEventListener("abort", cancel);
      walk.end(undefined);
    }
  }

  /** @throws UserError when a limit is reached; the signal's reason when it is aborted. */
  check(name: string): void {
    this.#signal?.throwIfAborted();
    const { entries, characters } = this.#limits;
    const fewer = "name a folder with fewer files, or pack the text into fewer";
    if (this.#entries > entries)
      throw new UserError(
        `"${name}" would search more than ${entries.toLocaleString("en")} files and folders: ${fewer}`,
      );
    if (this.#characters > characters)
      throw new UserError(`the paths of the files that "${name}" would search need too much memory: ${fewer}`);
    if (performance.now() > this.#until) throw this.#late(name);
  }

  /** Counts an entry of a folder. */
  count(folder: string, entry: Dirent): void {
    this.#entries++;
    if (!entry.isDirectory()) this.#characters += folder.length + entry.name.length;
  }

  #late(name: string): UserError {
    return new UserError(
      `"${name}" was searched for ${Math.round(this.#limits.ms / 1000)} seconds without coming to an end: name a folder with fewer files, or check the disk that holds it`,
    );
  }
}

const statOf = (path: string): Promise<Stats | undefined> => statAsync(path).catch(() => undefined);
const realPathOf = promisify(realpath.native);

type Callback<T> = (error: NodeJS.ErrnoException | null, value: T) => void;

/** What `tinyglobby` sees of the disk while it looks for one pattern. */
class Walk {
  readonly #search: Search;
  readonly #name: string;
  readonly #end: (error: unknown) => void;
  #ended = false;
  #reading = 0;
  /** Folders to read. The last is taken first, so that few wait. */
  readonly #waiting: (() => void)[] = [];
  readonly #devices = new Map<string, number>();
  /** Where followed links lead, by their paths. */
  readonly #links = new Map<string, string>();
  readonly #targets = new Set<string>();
  /** Links that lead to what may not be read. */
  readonly #outOfReach = new Set<string>();
  #root: { path: string; real: string } | undefined;

  constructor(search: Search, name: string, end: (error: unknown) => void) {
    this.#search = search;
    this.#name = name;
    this.#end = end;
  }

  /** Ends the walk: nothing more is read. */
  end(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#end(error);
    for (const read of this.#waiting.splice(0)) read();
  }

  readonly fileSystem: FileSystemAdapter = {
    readdir: ((path: string, _options: unknown, done: Callback<Dirent[]>) => {
      this.#waiting.push(() => {
        if (this.#ended) return done(null, []);
        this.#reading++;
        this.#entriesOf(path)
          .catch((error: unknown) => {
            this.end(error);
            return [];
          })
          .then((entries) => {
            this.#reading--;
            done(null, entries);
            this.#next();
          });
      });
      this.#next();
    }) as Required<FileSystemAdapter>["readdir"],
    realpath: ((path: string, done: Callback<string>) => {
      this.#follow(path).then(
        (target) => done(null, target),
        (error: NodeJS.ErrnoException) => done(error, ""),
      );
    }) as Required<FileSystemAdapter>["realpath"],
    // A link out of reach is taken for a folder: it is read only if something that matches may be in it or be it.
    stat: ((path: string, done: Callback<Stats>) =>
      stat(this.#outOfReach.has(path) ? dirname(path) : path, done)) as Required<FileSystemAdapter>["stat"],
  };

  #next(): void {
    while (this.#reading < atOnce || this.#ended) {
      const read = this.#waiting.pop();
      if (!read) return;
      read();
    }
  }

  /**
   * The entries of a folder; none where it is left out or is gone, nor where it is below the folder that the walk begins
   * in and may not be read.
   *
   * @throws UserError when the disk fails, or the folder that the walk begins in may not be read.
   */
  async #entriesOf(path: string): Promise<Dirent[]> {
    if (!(await this.#isSearched(path))) return [];
    const entries: Dirent[] = [];
    const folder = await opendir(path, { bufferSize: 256 }).catch((error: unknown) => {
      const isBegin = withoutSlash(path) === this.#root?.path;
      if (hasCode(error, "ENOENT", "ENOTDIR", "ELOOP", ...(isBegin ? [] : ["EACCES", "EPERM"]))) return undefined;
      throw diskError(error, withoutSlash(path), "read");
    });
    if (!folder) return [];
    for await (const entry of folder) {
      this.#search.count(path, entry);
      this.#search.check(this.#name);
      if (this.#ended) break;
      if (entry.isFile() || entry.isDirectory() || entry.isSymbolicLink()) entries.push(entry);
    }
    return entries;
  }

  /** Whether a folder is on the file system of the one that it is in, or begins the walk, or is a link's target. */
  async #isSearched(path: string): Promise<boolean> {
    if (!this.#root) {
      await assertInReach(withoutSlash(path));
      this.#root = { path: withoutSlash(path), real: slashes(await realPathOf(path).catch(() => path)) };
      const kernel = await kernelFileSystem(path);
      if (kernel !== undefined)
        throw new UserError(
          `"${this.#name}" names files that the kernel makes up (${kernel}), not text: name a folder on a disk`,
        );
      return true;
    }
    if (this.#outOfReach.has(withoutSlash(path))) throw new OutOfReachError(withoutSlash(path));
    if (this.#targets.has(path)) return (await kernelFileSystem(path)) === undefined;
    const [device, outer] = [await this.#deviceOf(withoutSlash(path)), await this.#deviceOf(dirname(path))];
    if (device === undefined || device === outer) return device !== undefined;
    this.#search.leftOut = withoutSlash(path);
    return false;
  }

  async #deviceOf(folder: string): Promise<number | undefined> {
    const known = this.#devices.get(folder);
    if (known !== undefined) return known;
    const device = (await statOf(folder))?.dev;
    if (this.#devices.size >= mostDevices) this.#devices.clear();
    if (device !== undefined) this.#devices.set(folder, device);
    return device;
  }

  /** Where a link leads. @throws for one that is broken, or that leads to a folder that contains it. */
  async #follow(path: string): Promise<string> {
    try {
      await assertInReach(path);
    } catch (error) {
      if (!(error instanceof OutOfReachError)) throw error;
      this.#outOfReach.add(path);
      return path;
    }
    const target = slashes(await realPathOf(path));
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      if (isWithin(this.#realPath(folder), target)) throw new Error("the link leads to a folder that contains it");
      if (folder === this.#root?.path || dirname(folder) === folder) break;
    }
    this.#links.set(path, target);
    this.#targets.add(slashAfter(target));
    return target;
  }

  /** The folder that a path of this walk leads to. */
  #realPath(path: string): string {
    for (let at = path; ; at = dirname(at)) {
      const target = at === this.#root?.path ? this.#root.real : this.#links.get(at);
      if (target !== undefined) return withoutSlash(`${slashAfter(target)}${path.slice(slashAfter(at).length)}`);
      if (dirname(at) === at) return path;
    }
  }
}

/** `tinyglobby` separates the parts of a path by / on Windows too. */
const slashes = (path: string): string => (process.platform === "win32" ? path.replaceAll("\\", "/") : path);
const slashAfter = (path: string): string => (path.endsWith("/") ? path : `${path}/`);
const withoutSlash = (path: string): string => (path.length > 1 ? path.replace(/\/$/, "") : path);
const isWithin = (path: string, folder: string): boolean => slashAfter(path).startsWith(slashAfter(folder));
