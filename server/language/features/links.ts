import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { DocumentLink } from "vscode-languageserver";
import type { Snapshot } from "../snapshot.ts";
import { entriesOf, type ScalarValue } from "../syntax.ts";
import { pathKind } from "./completePaths.ts";

/** Links from paths to existing files and folders, but not from globs. */
export async function documentLinks(snapshot: Snapshot): Promise<DocumentLink[]> {
  const { file } = snapshot;
  if (file === undefined) return [];
  const folder = dirname(file);
  const links = pathValues(snapshot).map(async ({ inner, data }): Promise<DocumentLink[]> => {
    const target = await shownFile(resolve(folder, String(data)));
    if (target === undefined) return [];
    return [{ range: snapshot.range(inner), target: pathToFileURL(target).href, tooltip: target }];
  });
  return (await Promise.all(links)).flat();
}

/** The values that are paths but not patterns. */
function pathValues(snapshot: Snapshot): ScalarValue[] {
  const found: ScalarValue[] = [];
  for (const { path, value } of entriesOf(snapshot.syntax)) {
    if (value?.kind !== "scalar" || value.text === "" || pathKind(path) === undefined) continue;
    if (!/[*?[\]{}()]|^!|\n/.test(value.text)) found.push(value);
  }
  return found;
}

/** The file to open for a path; for a checkpoint or tokenizer folder, its most informative file. Undefined if none. */
async function shownFile(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory()) return found ? path : undefined;
  for (const name of ["config.json", "tokenizer.json"])
    if (await stat(join(path, name)).catch(() => undefined)) return join(path, name);
  return path;
}
