import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { DocumentLink } from "vscode-languageserver";
import { askSoon } from "../lookups/askSoon.ts";
import type { Ask } from "../lookups/questions.ts";
import type { Snapshot } from "../snapshot.ts";
import { entriesOf, type ScalarValue } from "../syntax.ts";
import { pathKind } from "./completePaths.ts";

/** How long looking at the paths may take, ms. */
const longest = 5000;

/** Links from paths to existing files and folders, but not from globs. */
export async function documentLinks(snapshot: Snapshot, ask: Ask): Promise<DocumentLink[]> {
  const { file } = snapshot;
  if (file === undefined) return [];
  const folder = dirname(file);
  const values = pathValues(snapshot);
  if (values.length === 0) return [];
  const paths = values.map(({ data }) => resolve(folder, String(data)));
  const targets = (await askSoon(ask, "targets", { paths }, { owner: file, ms: longest })) ?? [];
  return values.flatMap(({ inner }, i) => {
    const target = targets[i];
    return target === undefined
      ? []
      : [{ range: snapshot.range(inner), target: pathToFileURL(target).href, tooltip: target }];
  });
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
