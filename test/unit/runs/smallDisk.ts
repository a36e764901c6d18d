import { spawnSync } from "node:child_process";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./folder.ts";

const mount = (...args: string[]): boolean => spawnSync("mount", args, { stdio: "ignore" }).status === 0;

function unmount(folder: string): void {
  spawnSync("umount", ["-l", folder], { stdio: "ignore" });
}

/** Why a disk of its own cannot be mounted here, or false. */
export const noMount: string | false = (() => {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "mounting a small disk needs root on Linux";
  const works = spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" }).status === 0;
  return works ? false : "mounting is not permitted here";
})();

/** A folder on a disk of `kilobytes`, gone when the test ends. */
export function smallDisk(kilobytes: number): string {
  const folder = temporaryFolder();
  if (!mount("-t", "tmpfs", "-o", `size=${kilobytes}k`, "tmpfs", folder)) throw new Error("cannot mount a tmpfs");
  onTestFinished(() => unmount(folder));
  return folder;
}

/** Makes a mounted disk read-only. */
export function makeReadOnly(folder: string): void {
  if (!mount("-o", "remount,ro", folder)) throw new Error("cannot mount read-only");
}
