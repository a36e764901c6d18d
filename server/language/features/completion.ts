import type { CompletionItem, Position } from "vscode-languageserver";
import { itemsOf, mappingOf, schemaAt } from "../../experiment/describe.ts";
import type { Ask } from "../lookups/questions.ts";
import { placeAt } from "../place.ts";
import type { Snapshot } from "../snapshot.ts";
import { keyItems } from "./completeKeys.ts";
import { pathItems, pathKind } from "./completePaths.ts";
import { valueItems } from "./completeValues.ts";

/** Characters that trigger completion. */
export const triggerCharacters = ["/", " ", "[", "{", '"', "'"];

/**
 * Completions at a position: missing keys, values, names of domains, existing paths.
 * @param snippets whether the editor supports `$0` for the final cursor position
 */
export async function complete(
  snapshot: Snapshot,
  position: Position,
  snippets: boolean,
  ask: Ask,
): Promise<CompletionItem[]> {
  const place = placeAt(snapshot.text, snapshot.offset(position));
  const node = place && schemaAt(place.path);
  if (!node) return [];
  const mapping = mappingOf(node);
  if (place.kind === "key" && mapping) {
    const keys = keyItems(snapshot, place, mapping, snippets);
    // The start of a block may become a list as well.
    return itemsOf(node) && place.indent !== undefined ? [...keys, ...valueItems(snapshot, place, node)] : keys;
  }
  const kind = pathKind(place.path);
  if (kind) return pathItems(snapshot, place, kind, ask);
  return valueItems(snapshot, place, node);
}
