import { type CompletionItem, CompletionItemKind, InsertTextFormat, InsertTextMode } from "vscode-languageserver";
import { expectedText, type SchemaNode, schemaAt } from "../../experiment/describe.ts";
import type { Path } from "../../experiment/problem.ts";
import { routerDefaults, typesWith } from "../../experiment/schema/router.ts";
import { definedDomains, domainNames } from "../domains.ts";
import { keyHelp } from "../help.ts";
import type { Place } from "../place.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Entry, entryAt, readSyntax } from "../syntax.ts";

/** The valid keys that a mapping does not have yet. */
export function keyItems(snapshot: Snapshot, place: Place, node: SchemaNode, snippets: boolean): CompletionItem[] {
  const root = withoutWord(snapshot, place);
  const present = presentKeys(root, place);
  const required = new Set(node.required);
  const names = node.properties
    ? Object.keys(node.properties).filter((key) => belongs(root, place.path, key))
    : domainKeys(root, place.path);
  return names
    .filter((key) => !present.has(key))
    .map((key, order) => {
      const path = [...place.path, key];
      const child = schemaAt(path);
      const text = keyText(place, key, child, snippets);
      const isSection = child?.properties !== undefined;
      return {
        label: key,
        kind: isSection ? CompletionItemKind.Module : CompletionItemKind.Property,
        ...(child ? { detail: expectedText(child) } : {}),
        ...(child?.description ? { documentation: { kind: "markdown", value: keyHelp(path, child) } } : {}),
        sortText: `${required.has(key) ? 0 : 1}${String(order).padStart(4, "0")}`,
        textEdit: { range: snapshot.range(place.span), newText: text },
        insertTextFormat: snippets ? InsertTextFormat.Snippet : InsertTextFormat.PlainText,
        insertTextMode: InsertTextMode.asIs,
        ...(child?.enum || child?.type === "boolean" ? { command: suggest } : {}),
      } satisfies CompletionItem;
    });
}

/** Asks for completions again after one that starts something. */
export const suggest = { title: "Suggest", command: "editor.action.triggerSuggest" };

/** The tree without the word that is being typed: before it has a colon, it is read as part of the key below. */
function withoutWord(snapshot: Snapshot, { span, indent }: Place): Entry {
  if (indent === undefined || span.start === span.end) return snapshot.syntax;
  return readSyntax(snapshot.text.slice(0, span.start) + snapshot.text.slice(span.end));
}

function presentKeys(root: Entry, { path, span }: Place): Set<string> {
  const children = entryAt(root, path)?.children ?? [];
  return new Set(children.flatMap(({ key }) => (key && key.inner.start !== span.start ? [key.text] : [])));
}

/** Whether a key is compatible with the present keys: some keys belong to other types of router. */
function belongs(root: Entry, path: Path, key: string): boolean {
  if (path.join(".") !== "mix.router") return true;
  const type = entryAt(root, [...path, "type"])?.value;
  const given = type?.kind === "scalar" ? type.text : routerDefaults.type;
  const types: readonly string[] | undefined = typesWith(key);
  return !types || types.includes(given);
}

/** Domain names: the defined ones in a mixture; under `domains`, those used but not yet defined. */
function domainKeys(root: Entry, path: Path): string[] {
  const defined = definedDomains(root);
  if (path.at(-1) === "mixture") return defined;
  const used = domainNames(root).map(({ name }) => name);
  return [...new Set(used)].filter((name) => !defined.includes(name));
}

function keyText(place: Place, key: string, child: SchemaNode | undefined, snippets: boolean): string {
  if (place.colon || place.quote) return key;
  const cursor = snippets ? "$0" : "";
  if (place.path.at(-1) === "mixture") return `${key}: 1`;
  const isMapping = child?.properties !== undefined || child?.additionalProperties !== undefined;
  if (isMapping && place.indent !== undefined) return `${key}:\n${" ".repeat(place.indent + 2)}${cursor}`;
  if (isMapping && snippets) return `${key}: {${cursor}}`;
  if (child?.type === "array" && snippets) return `${key}: [${cursor}]`;
  return `${key}: ${cursor}`;
}
