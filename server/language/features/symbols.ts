import { type DocumentSymbol, SymbolKind } from "vscode-languageserver";
import { domainRole } from "../domains.ts";
import type { Snapshot } from "../snapshot.ts";
import type { Entry, Value } from "../syntax.ts";

/** The outline: keys and the items of lists, each with its value. */
export function documentSymbols(snapshot: Snapshot): DocumentSymbol[] {
  return symbolsOf(snapshot, snapshot.syntax);
}

function symbolsOf(snapshot: Snapshot, { children }: Entry): DocumentSymbol[] {
  return children.map((entry) => {
    const { key, value, path, span } = entry;
    const text = value?.kind === "scalar" ? shortened(value.text) : "";
    const name = (key?.text ?? text) || `[${path.at(-1)}]`;
    const scalar = value?.kind === "scalar" ? value : undefined;
    return {
      name,
      ...(key && text ? { detail: text } : {}),
      kind: kindOf(entry, value),
      range: snapshot.range(span),
      selectionRange: snapshot.range(key ?? scalar ?? { start: span.start, end: span.start }),
      children: symbolsOf(snapshot, entry),
    };
  });
}

function kindOf({ path, key }: Entry, value: Value | undefined): SymbolKind {
  if (key && domainRole(path) === "definition") return SymbolKind.Class;
  if (value?.kind === "mapping") return path.length === 1 ? SymbolKind.Module : SymbolKind.Object;
  if (value?.kind === "list") return SymbolKind.Array;
  if (!key) return SymbolKind.String;
  return SymbolKind.Property;
}

const shortened = (text: string): string => {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
};
