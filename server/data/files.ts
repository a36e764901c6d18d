import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { escapePath, glob } from "tinyglobby";
import { UserError } from "../protocol/errors.ts";

export { readDocuments } from "./corpus/documents.ts";

/**
 * The files that patterns name, as sorted absolute paths without repeats.
 *
 * A pattern is a file, a folder or a glob (`*`, `**`, `{a,b}`; `..` may be part of it), relative to `baseFolder`;
 * one that begins with `!` takes files away. `~` is not expanded. A folder stands for the text files below it: hidden
 * entries, `node_modules` below it, empty and binary files are passed over; `.parquet` and `.gz` files count as text.
 *
 * @throws UserError for a pattern that names nothing.
 */
export async function expandFiles(patterns: string | string[], baseFolder: string): Promise<string[]> {
  const all = [patterns].flat().map((pattern) => (process.platform === "win32" ? slashes(pattern) : pattern));
  const ignore = all.filter((pattern) => pattern.startsWith("!")).map((pattern) => from(baseFolder, pattern.slice(1)));
  const wanted = all.filter((pattern) => !pattern.startsWith("!"));
  if (wanted.length === 0) throw new UserError("no files are given: name a file, a folder or a glob");
  const found = new Set<string>();
  for (const pattern of wanted) {
    const matches = await expandPattern(pattern, baseFolder, ignore);
    for (const file of matches) found.add(resolve(file));
  }
  return [...found].sort();
}

async function expandPattern(pattern: string, baseFolder: string, ignore: string[]): Promise<string[]> {
  const options = { absolute: true, onlyFiles: true, expandDirectories: false };
  const path = resolve(baseFolder, pattern);
  const literal = await stat(path).catch(() => undefined);
  if (literal?.isDirectory()) {
    const below = await glob("**/*", {
      ...options,
      cwd: path,
      ignore: [...ignore, `${escapePath(slashes(path))}/**/node_modules/**`],
    });
    const files: string[] = [];
    for (const file of below) if (await looksLikeText(file)) files.push(file);
    if (files.length === 0) throw new UserError(`the folder ${path} contains no text files`);
    return files;
  }
  const isFile = literal !== undefined;
  const matches = await glob(isFile ? escapePath(slashes(path)) : pattern, {
    ...options,
    cwd: baseFolder,
    dot: isFile,
    ignore,
  });
  if (matches.length > 0) return matches;
  if (isFile) throw new UserError(`${path} is not a regular file, or a pattern with ! excludes it`);
  if (/[*?{}[\]()]/.test(pattern)) throw new UserError(`no file matches "${pattern}" in ${resolve(baseFolder)}`);
  throw new UserError(`${path} does not exist`);
}

const slashes = (path: string): string => (process.platform === "win32" ? path.replaceAll("\\", "/") : path);

/** The pattern made absolute, since `ignore` must apply in every searched folder. */
function from(baseFolder: string, pattern: string): string {
  if (isAbsolute(pattern)) return pattern;
  let base = resolve(baseFolder);
  let rest = pattern.replace(/^(\.\/)+/, "");
  while (rest.startsWith("../")) {
    base = resolve(base, "..");
    rest = rest.slice(3);
  }
  return `${escapePath(slashes(base)).replace(/\/$/, "")}/${rest}`;
}

/** Whether a file in a folder counts as text: by its name if compressed, else by its first 8 KiB. */
async function looksLikeText(file: string): Promise<boolean> {
  if (/\.(tar|tgz)(\.gz)?$/i.test(file)) return false;
  if (/\.(parquet|gz)$/i.test(file)) return true;
  try {
    const handle = await open(file, "r");
    try {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(8192), 0, 8192, 0);
      if (bytesRead === 0) return false;
      const head = buffer.subarray(0, bytesRead);
      new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
      return !head.includes(0);
    } finally {
      await handle.close();
    }
  } catch {
    return false;
  }
}

/**
 * Hash of what files hold, in order: sha256 over each file's length and the sha256 of its bytes, as hex. Where one file
 * ends and the next begins matters; names do not.
 *
 * @throws UserError for a file that cannot be read.
 */
export async function hashFiles(files: string[]): Promise<string> {
  const all = createHash("sha256");
  for (const file of files) {
    const one = createHash("sha256");
    let bytes = 0;
    try {
      for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
        one.update(chunk as Buffer);
        bytes += (chunk as Buffer).length;
      }
    } catch (error) {
      throw new UserError(`cannot read ${file}: ${(error as Error).message}`);
    }
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(bytes));
    all.update(length).update(one.digest());
  }
  return all.digest("hex");
}
