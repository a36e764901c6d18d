import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll } from "vitest";
import type { Position, Range, TextEdit } from "vscode-languageserver";
import { TextDocument } from "vscode-languageserver-textdocument";
import { answerLookup } from "../../../server/language/lookups/answers.ts";
import type { Ask } from "../../../server/language/lookups/questions.ts";
import { Snapshot } from "../../../server/language/snapshot.ts";

/** A text as it is in the editor; by default in a folder that does not exist. */
export const opened = (text: string, file = "/nowhere/a.btx.yaml"): Snapshot =>
  new Snapshot(pathToFileURL(file).href, 1, text);

/** A text with the cursor at `|`, which is no part of it. */
export function cursor(marked: string, file?: string): { snapshot: Snapshot; position: Position; offset: number } {
  const offset = marked.indexOf("|");
  const snapshot = opened(marked.slice(0, offset) + marked.slice(offset + 1), file);
  return { snapshot, position: snapshot.position(offset), offset };
}

/** The part of a text in a range. */
export const textIn = (snapshot: Snapshot, { start, end }: Range): string =>
  snapshot.text.slice(snapshot.offset(start), snapshot.offset(end));

/** A text after edits. */
export const edited = ({ uri, text }: Snapshot, edits: TextEdit[]): string =>
  TextDocument.applyEdits(TextDocument.create(uri, "btx", 1, text), edits);

const scratch = mkdtempSync(join(tmpdir(), "btx-language-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A folder with these files, by path and content, that goes when the file's tests have ended. */
export function folderWith(files: Record<string, string>): string {
  const folder = mkdtempSync(join(scratch, "x"));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** Looks at disks in this process. */
export const ask: Ask = (lookup, asked, { signal }) =>
  answerLookup(lookup, asked, signal ?? new AbortController().signal);

/** How long to wait for what comes in its own time. */
export const soon = { timeout: 20_000 };
