import { stat } from "node:fs/promises";
import { basename, dirname, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type CodeAction, CodeActionKind, type Diagnostic, DiagnosticSeverity } from "vscode-languageserver";
import { schemaAt } from "../../experiment/describe.ts";
import { pathText } from "../../experiment/problem.ts";
import { domainRole } from "../domains.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Edit, type Entry, entriesOf, entryAt, type Token } from "../syntax.ts";
import { yamlText } from "../yamlText.ts";
import { pathKind } from "./completePaths.ts";
import { diagnosticSource, type ProblemData, problemDataSchema } from "./diagnostics.ts";
import { insertedKey, insertedValue, removal } from "./edits.ts";

/** The command that makes a folder; its argument is `{path}`, absolute. */
export const createFolderCommand = "btx.createFolder";

/** Fixes for mistakes, from the data of their diagnostics. */
export async function quickFixes(snapshot: Snapshot, diagnostics: readonly Diagnostic[]): Promise<CodeAction[]> {
  const actions: CodeAction[] = [];
  for (const diagnostic of diagnostics) {
    const data = problemDataSchema.safeParse(diagnostic.data);
    if (diagnostic.source !== diagnosticSource || !data.success) continue;
    actions.push(...fixesOf(snapshot, diagnostic, data.data), ...(await missingFile(snapshot, diagnostic, data.data)));
  }
  return actions;
}

function fixesOf(snapshot: Snapshot, diagnostic: Diagnostic, { path, suggestion }: ProblemData): CodeAction[] {
  const actions: CodeAction[] = [];
  const fix = (title: string, edit: Edit | undefined, isPreferred = false): void => {
    if (edit) actions.push(actionOf(snapshot, diagnostic, title, edit, isPreferred));
  };
  const start = snapshot.offset(diagnostic.range.start);
  const found = entryStarting(snapshot.syntax, start);
  const token = found && tokenStarting(found, start);
  if (found && token && suggestion !== undefined && !isSibling(snapshot.syntax, found, suggestion)) {
    const text = token.quote ? suggestion : yamlText(suggestion, true);
    fix(`Change to \`${suggestion}\``, { ...token.inner, text }, true);
  }
  const missing = schemaAt(path) && !entryAt(snapshot.syntax, path);
  if (missing) fix(`Add \`${pathText(path)}\``, insertedKey(snapshot, path), true);
  fix(`Add what \`${pathText(path)}\` needs`, insertedValue(snapshot, path), true);
  if (found && JSON.stringify(found.path) === JSON.stringify(path) && isRemovable(found, start, diagnostic)) {
    const name = found.key?.text ?? token?.text ?? "it";
    fix(`Remove \`${name}\``, removal(snapshot, found));
  }
  return actions;
}

function actionOf(
  snapshot: Snapshot,
  diagnostic: Diagnostic,
  title: string,
  edit: Edit,
  isPreferred: boolean,
): CodeAction {
  const changes = { [snapshot.uri]: [{ range: snapshot.range(edit), newText: edit.text }] };
  return { title, kind: CodeActionKind.QuickFix, diagnostics: [diagnostic], edit: { changes }, isPreferred };
}

/** The innermost entry whose key or value begins at an offset. */
function entryStarting(root: Entry, start: number): Entry | undefined {
  let found: Entry | undefined;
  for (const entry of entriesOf(root)) if (entry.path.length > 0 && tokenStarting(entry, start)) found = entry;
  return found;
}

function tokenStarting({ key, value }: Entry, start: number): Token | undefined {
  if (key?.start === start) return key;
  return value?.kind === "scalar" && value.start === start ? value : undefined;
}

/** Whether the mapping or list of an entry has this key or item already. */
function isSibling(root: Entry, entry: Entry, name: string): boolean {
  const siblings = entryAt(root, entry.path.slice(0, -1))?.children ?? [];
  return siblings.some(({ key, value }) => (key ? key.text === name : value?.kind === "scalar" && value.text === name));
}

/** Removes superfluous keys and items, but neither wrong values nor domains with wrong names. */
function isRemovable(entry: Entry, start: number, { severity }: Diagnostic): boolean {
  if (domainRole(entry.path) === "definition" && severity !== DiagnosticSeverity.Warning) return false;
  return !entry.key || entry.key.start === start;
}

/** For missing files of a domain: creates the file, or the folder with which a glob begins. */
async function missingFile(snapshot: Snapshot, diagnostic: Diagnostic, { path }: ProblemData): Promise<CodeAction[]> {
  const value = entryAt(snapshot.syntax, path)?.value;
  if (pathKind(path) !== "files" || snapshot.file === undefined || value?.kind !== "scalar") return [];
  const pattern = String(value.data);
  if (pattern === "" || /^!|[\0\n]/.test(pattern)) return [];
  const parts = pattern.split("/");
  const wild = parts.findIndex((part) => /[*?[\]{}()]/.test(part));
  const isFile = wild < 0 && extname(pattern) !== "";
  const target = resolve(dirname(snapshot.file), wild < 0 ? pattern : parts.slice(0, wild).join("/") || ".");
  if (await stat(target).catch(() => undefined)) return [];
  const common = { kind: CodeActionKind.QuickFix, diagnostics: [diagnostic] };
  const title = `Create the ${isFile ? "file" : "folder"} ${basename(target)}`;
  if (isFile)
    return [{ ...common, title, edit: { documentChanges: [{ kind: "create", uri: pathToFileURL(target).href }] } }];
  return [{ ...common, title, command: { title, command: createFolderCommand, arguments: [{ path: target }] } }];
}
