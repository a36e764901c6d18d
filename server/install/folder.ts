import { homedir } from "node:os";
import { join, resolve } from "node:path";

/**
 * Where engines are installed: among the user's own data, never in the extension, which is replaced with every version.
 * BTX_ENGINES names another folder.
 */
export function enginesFolder(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  if (env.BTX_ENGINES) return resolve(env.BTX_ENGINES);
  const data = {
    darwin: () => join(homedir(), "Library", "Application Support"),
    win32: () => env.LOCALAPPDATA || join(homedir(), "AppData", "Local"),
  }[platform as string];
  return join(data?.() ?? (env.XDG_DATA_HOME || join(homedir(), ".local", "share")), "btx-studio", "engines");
}
