import { UserError } from "../protocol/errors.ts";

/** What errors of disks mean to a person. */

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error ? String(error.code) : undefined;

/** True for an error of the file system with one of these codes, such as "ENOENT". */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  const code = codeOf(error);
  return code !== undefined && codes.includes(code);
}

/** What was being done to a file when an error occurred. */
export type DiskUse = "read" | "write";

const free = "what was saved is not lost; free some space, then continue with `btx resume`";
const reconnect = "check the connection and that the disk is still mounted, then continue with `btx resume`";

/** A sentence for each error code of a disk that a person can do something about. */
const sentences: Readonly<Record<string, (path: string, use: DiskUse) => string>> = {
  ENOSPC: (path) => `the disk that holds ${path} is full: ${free}`,
  EDQUOT: (path) => `the disk quota for ${path} is used up: ${free}`,
  EFBIG: (path) =>
    `${path} has reached the largest size that its file system or \`ulimit -f\` allows: raise the limit or use another disk, then continue with \`btx resume\``,
  EROFS: (path) => `${path} is on a read-only file system: make it writable, or move the experiment elsewhere`,
  EACCES: (path, use) => permission(path, use),
  EPERM: (path, use) => permission(path, use),
  EIO: (path, use) =>
    `the disk failed to ${use} ${path} (EIO): check the disk and the system's log, then continue with \`btx resume\``,
  EMFILE: (path, use) =>
    `${path} cannot be ${use === "read" ? "read" : "written"}, because this process has too many files open: raise the limit (\`ulimit -n\`), then try again`,
  ENFILE: (path, use) =>
    `${path} cannot be ${use === "read" ? "read" : "written"}, because the system has too many files open: close some programs, then try again`,
  ESTALE: (path) => `the network disk no longer knows ${path} (ESTALE): ${reconnect}`,
  ETIMEDOUT: (path) => `the network disk that holds ${path} did not answer: ${reconnect}`,
  EHOSTDOWN: (path) => `the network disk that holds ${path} did not answer: ${reconnect}`,
  ENOTCONN: (path) => `the network disk that holds ${path} is not connected: ${reconnect}`,
  ENXIO: (path) => `the disk that holds ${path} is not connected: ${reconnect}`,
  ENODEV: (path) => `the disk that holds ${path} is not connected: ${reconnect}`,
  ENAMETOOLONG: (path) =>
    `the path ${shortened(path)} is longer than the file system allows: use a shorter name, or a folder nearer to the root of the disk`,
  ENOTDIR: (path) => `${path} cannot be used, because a part of its path is a file: move that file away`,
  EISDIR: (path) => `${path} is a folder, but a file is needed there: move the folder away`,
  ELOOP: (path) => `${path} is a link that leads back to itself: remove the link`,
  EBUSY: (path) => `${path} is in use by another program: close that program, then try again`,
  ENOENT: (path, use) =>
    use === "write"
      ? `${path} cannot be written, because its folder has been removed or moved: put the folder back, then continue with \`btx resume\``
      : `${path} does not exist: it has been removed or moved; put it back, then try again`,
};

const permission = (path: string, use: DiskUse): string =>
  use === "write"
    ? `no permission to write ${path}: change the folder's permissions, or move the experiment elsewhere`
    : `no permission to read ${path}: change its permissions`;

const shortened = (path: string): string => (path.length <= 120 ? path : `${path.slice(0, 60)}…${path.slice(-59)}`);

/**
 * What a failure to read or write `path` means to a person: a UserError where they can do something about it, else the
 * error itself.
 */
export function diskError(error: unknown, path: string, use: DiskUse = "write"): unknown {
  const sentence = sentences[codeOf(error) ?? ""];
  if (sentence === undefined || error instanceof UserError) return error;
  // A person knows the file by its own name, not by the one that it has while it is written.
  return new UserError(sentence(path.replaceAll(/\.tmp-\d+-[0-9a-f]{8}\b/g, ""), use), { cause: error });
}

/** System calls that read. */
const reading = /^(open|read|stat|lstat|fstat|scandir|opendir|readlink|realpath|access)$/;

/**
 * The last resort, where an error leaves a process: an error of the file system becomes a sentence with the path that
 * the system reported; any other error is returned as it is.
 */
export function explained(error: unknown): unknown {
  if (!(error instanceof Error) || !("syscall" in error) || !("path" in error)) return error;
  return diskError(error, String(error.path), reading.test(String(error.syscall)) ? "read" : "write");
}

/** Runs `work`, which reads or writes `path`; see `diskError`. */
export async function withDiskErrors<T>(path: string, work: () => Promise<T>, use: DiskUse = "write"): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(error, path, use);
  }
}

/** Synchronous `withDiskErrors`. */
export function withDiskErrorsSync<T>(path: string, work: () => T, use: DiskUse = "write"): T {
  try {
    return work();
  } catch (error) {
    throw diskError(error, path, use);
  }
}
