import { dirname, extname, resolve } from "node:path";
import { type CompletionItem, CompletionItemKind } from "vscode-languageserver";
import type { Path } from "../../experiment/problem.ts";
import { askSoon } from "../lookups/askSoon.ts";
import type { Ask, FolderEntry } from "../lookups/questions.ts";
import type { Place } from "../place.ts";
import type { Snapshot } from "../snapshot.ts";
import { yamlText } from "../yamlText.ts";
import { suggest } from "./completeKeys.ts";

export type PathKind = "files" | "folder" | "tokenizer";

/** The kind of path that a key holds; undefined for other keys. */
export function pathKind(path: Path): PathKind | undefined {
  const isItem = typeof path.at(-1) === "number";
  if (path[0] === "domains" && path[2] === "files" && path.length === (isItem ? 4 : 3)) return "files";
  if (path.join(".") === "seed.from") return "folder";
  return path.join(".") === "tokenizer.path" ? "tokenizer" : undefined;
}

const maxItems = 500;
/** How long reading a folder may take, ms: someone waits for it. */
const longest = 3000;

/** Existing files and folders, one level at a time, and globs for the kinds of files in a folder. */
export async function pathItems(snapshot: Snapshot, place: Place, kind: PathKind, ask: Ask): Promise<CompletionItem[]> {
  const { file } = snapshot;
  if (file === undefined) return [];
  const without = place.prefix.startsWith("!") ? "!" : "";
  const typed = place.prefix.slice(without.length);
  const before = typed.slice(0, typed.lastIndexOf("/") + 1);
  if (/[*?[\]{}]/.test(before)) return [];
  const entries = await askSoon(
    ask,
    "entries",
    { folder: resolve(dirname(file), before || ".") },
    { owner: file, ms: longest },
  );
  const hidden = typed.slice(before.length).startsWith(".");
  const seen = (entries ?? []).filter(({ name }) => name.startsWith(".") === hidden);
  const range = snapshot.range(place.span);
  const item = (label: string, order: number, more: Partial<CompletionItem>): CompletionItem => {
    const text = `${without}${before}${label}`;
    const written = place.quote ? text : yamlText(text, place.flow);
    const line = place.kind === "key" ? `- ${written}` : written;
    return { label, filterText: text, sortText: `${order}${label}`, textEdit: { range, newText: line }, ...more };
  };
  const folders = seen.filter((entry) => entry.isFolder);
  const files = kind === "folder" ? [] : seen.filter((entry) => isWanted(entry, kind));
  const globs = kind === "files" ? globsOf(files) : [];
  return [
    ...folders.map(({ name }) => item(`${name}/`, 1, { kind: CompletionItemKind.Folder, command: suggest })),
    ...globs.map(([glob, detail]) => item(glob, 0, { kind: CompletionItemKind.Unit, detail })),
    ...files.map(({ name }) => item(name, 2, { kind: CompletionItemKind.File })),
  ].slice(0, maxItems);
}

const isWanted = (entry: FolderEntry, kind: PathKind): boolean =>
  !entry.isFolder && (kind === "files" || entry.name.endsWith(".json")) && !entry.name.endsWith(".btx.yaml");

/** A glob for each kind of file that a folder holds several of, the most frequent first. */
function globsOf(files: FolderEntry[]): [glob: string, detail: string][] {
  const counts = new Map<string, number>();
  for (const { name } of files) {
    const extension = extname(name);
    if (extension) counts.set(extension, (counts.get(extension) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count > 1)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([extension, count]) => [`*${extension}`, `${count} files`]);
}
