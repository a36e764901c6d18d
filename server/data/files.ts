import { createHash } from "node:crypto";
import { basename, dirname, isAbsolute, parse, resolve } from "node:path";
import { escapePath } from "tinyglobby";
import { withDiskErrors } from "../disk/errors.ts";
import { openExisting, readPiece, statsOf } from "../disk/open.ts";
import { UserError } from "../protocol/errors.ts";
import { Search } from "./search.ts";

export { readDocuments } from "./corpus/documents.ts";

/**
 * The files that patterns name, as sorted absolute paths without repeats.
 *
 * A pattern is a file, a folder or a glob (`*`, `**`, `{a,b}`; `..` may be part of it), relative to `baseFolder`;
 * one that begins with `!` takes files away. `~` is not expanded. A folder stands for the text files below it: hidden
 * entries, `node_modules` below it, empty and binary files are passed over; `.parquet` and `.gz` files count as text.
 *
 * @param search what may be searched, over several calls where they share one.
 * @throws UserError for a pattern that names nothing, or more than may be searched.
 */
export async function expandFiles(
  patterns: string | string[],
  baseFolder: string,
  search: Search = new Search(),
): Promise<string[]> {
  const all = [patterns].flat().map(slashes);
  const ignore = all.filter((pattern) => pattern.startsWith("!")).map((pattern) => from(baseFolder, pattern.slice(1)));
  const wanted = all.filter((pattern) => !pattern.startsWith("!"));
  if (wanted.length === 0) throw new UserError("no files are given: name a file, a folder or a glob");
  const found = new Set<string>();
  for (const pattern of wanted) {
    const matches = await expandPattern(pattern, baseFolder, ignore, search);
    for (const file of matches) found.add(resolve(file));
  }
  return [...found].sort();
}

async function expandPattern(pattern: string, baseFolder: string, ignore: string[], search: Search): Promise<string[]> {
  const options = { absolute: true, onlyFiles: true, expandDirectories: false };
  const path = resolve(baseFolder, pattern);
  const isGlob = /[*?{}[\]()]/.test(pattern);
  const literal = await statsOf(path).catch((error: unknown) => {
    // A glob is no path: where it leads is known while it is searched.
    if (isGlob) return undefined;
    throw error;
  });
  if (literal?.isDirectory()) {
    const below = await search.files("**/*", pattern, {
      ...options,
      cwd: path,
      ignore: [...ignore, `${escapePath(slashes(path))}/**/node_modules/**`],
    });
    const files: string[] = [];
    for (const file of below) {
      search.check(pattern);
      if (await looksLikeText(file)) files.push(file);
    }
    if (files.length === 0) throw new UserError(`the folder ${path} contains no text files${leftOut(search)}`);
    return files;
  }
  const isFile = literal !== undefined;
  const { folder, rest } = isFile
    ? { folder: dirname(path), rest: escapePath(basename(path)) }
    : beginningOf(pattern, baseFolder);
  const matches = await search.files(rest, pattern, { ...options, cwd: folder, dot: isFile, ignore });
  if (matches.length > 0) return matches;
  if (isFile) throw new UserError(`${path} is not a regular file, or a pattern with ! excludes it`);
  if (isGlob) throw new UserError(`no file matches "${pattern}" in ${resolve(baseFolder)}${leftOut(search)}`);
  throw new UserError(`${path} does not exist`);
}

/** The folder that a glob begins in, and what is to match below it. */
function beginningOf(pattern: string, baseFolder: string): { folder: string; rest: string } {
  const { root } = parse(pattern);
  const parts = pattern.slice(root.length).split("/");
  const isPlain = (part: string): boolean => !/[*?{}[\]()!+@|\\]/.test(part);
  let plain = 0;
  while (plain < parts.length - 1 && isPlain(parts[plain]!)) plain++;
  return { folder: resolve(root || baseFolder, ...parts.slice(0, plain)), rest: parts.slice(plain).join("/") };
}

const leftOut = ({ leftOut: folder }: Search): string =>
  folder === undefined ? "" : `: folders on other disks are left out, such as ${folder}, unless a pattern names them`;

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
    const head = await readPiece(file, 0, 8192);
    if (head.length === 0) return false;
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    return !head.includes(0);
  } catch (error) {
    // A file that the disk does not give must not be left out in silence. Others are not UTF-8, no files, or gone.
    if (error instanceof UserError && error.cause !== undefined) throw error;
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
    const handle = await openExisting(file);
    await withDiskErrors(
      file,
      async () => {
        for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 20 })) {
          one.update(chunk as Buffer);
          bytes += (chunk as Buffer).length;
        }
      },
      "read",
    );
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(bytes));
    all.update(length).update(one.digest());
  }
  return all.digest("hex");
}
