import { type CompletionItem, CompletionItemKind } from "vscode-languageserver";
import { itemsOf, namesOf, type SchemaNode, schemaAt } from "../../experiment/describe.ts";
import type { Path } from "../../experiment/problem.ts";
import { expertPrefix } from "../../experiment/schema/stages.ts";
import { definedDomains } from "../domains.ts";
import { valueHelp } from "../help.ts";
import type { Place } from "../place.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Entry, entryAt } from "../syntax.ts";

interface Choice {
  text: string;
  kind: CompletionItemKind;
  detail?: string;
  help?: string;
}

/** The valid values at a place, if they can be enumerated. */
export function valueItems(snapshot: Snapshot, place: Place, node: SchemaNode): CompletionItem[] {
  const root = snapshot.syntax;
  const isItem = typeof place.path.at(-1) === "number";
  const isList = itemsOf(node) !== undefined;
  const listPath = isItem ? place.path.slice(0, -1) : isList ? place.path : undefined;
  const given = listPath ? givenItems(root, listPath, place) : new Set<string>();
  // If the list does not exist yet, an item adds the brackets or the dash.
  const wrapped = (text: string): string => {
    if (isItem || !isList) return text;
    return place.kind === "key" ? `- ${text}` : `[${text}]`;
  };
  return choices(root, listPath ?? place.path, node)
    .filter(({ text }) => !given.has(text))
    .map(({ text, kind, detail, help }, order) => ({
      label: text,
      kind,
      ...(detail ? { detail } : {}),
      ...(help ? { documentation: { kind: "markdown", value: help } } : {}),
      sortText: String(order).padStart(4, "0"),
      textEdit: { range: snapshot.range(place.span), newText: place.quote ? text : wrapped(text) },
    }));
}

function choices(root: Entry, path: Path, node: SchemaNode): Choice[] {
  if (path.join(".") === "mix.experts")
    return [...definedDomains(root), "seed"].map((text) => ({
      text,
      kind: CompletionItemKind.Class,
      detail: text === "seed" ? "the seed itself" : "domain",
    }));
  const item = itemsOf(node) ?? node;
  const names = namesOf(item);
  if (names)
    return [...names, ...expertNames(root, path)].map((text) => {
      const help = helpOf(path, text);
      const detail = text === item.default ? "default" : undefined;
      return { text, kind: CompletionItemKind.EnumMember, ...(help ? { help } : {}), ...(detail ? { detail } : {}) };
    });
  if (item.type === "boolean")
    return ["true", "false"].map((text) => ({
      text,
      kind: CompletionItemKind.Keyword,
      ...(text === String(item.default) ? { detail: "default" } : {}),
    }));
  const isNumber = item.type === "integer" || item.type === "number";
  if (isNumber && typeof item.default === "number")
    return [{ text: String(item.default), kind: CompletionItemKind.Value, detail: "default" }];
  return [];
}

/** What a value means, from the description of its key or of a key above that. */
export function helpOf(path: Path, value: string): string | undefined {
  for (let end = path.length; end > 0; end--) {
    const node = schemaAt(path.slice(0, end));
    const help = node && valueHelp(node, value);
    if (help) return help;
  }
  return undefined;
}

/** "expert:code" and so on, where `freeze` may name experts. */
function expertNames(root: Entry, [section, key]: Path): string[] {
  if (section !== "finetune" || key !== "freeze") return [];
  const given = entryAt(root, ["mix", "experts"])?.children ?? [];
  const mixed = given.flatMap(({ value }) => (value?.kind === "scalar" ? [value.text] : []));
  const names = mixed.length > 0 ? mixed : [...definedDomains(root), "seed"];
  return names.map((name) => `${expertPrefix}${name}`);
}

/** The other items of a list. */
function givenItems(root: Entry, path: Path, { span }: Place): Set<string> {
  const items = entryAt(root, path)?.children ?? [];
  return new Set(
    items.flatMap(({ value }) => (value?.kind === "scalar" && value.inner.start !== span.start ? [value.text] : [])),
  );
}
