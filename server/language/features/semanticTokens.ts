import { type SemanticTokens, SemanticTokensBuilder, type SemanticTokensLegend } from "vscode-languageserver";
import { schemaAt } from "../../experiment/describe.ts";
import { parseTokens } from "../../experiment/schema/tokens.ts";
import { domainRole } from "../domains.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Entry, entriesOf, type Span } from "../syntax.ts";
import { pathKind } from "./completePaths.ts";

const types = ["property", "class", "enumMember", "number", "string"] as const;
type TokenType = (typeof types)[number];

export const semanticTokensLegend: SemanticTokensLegend = { tokenTypes: [...types], tokenModifiers: ["declaration"] };

/** Keys, names of domains, values of a list of choices, numbers with a unit such as 500k, and paths. */
export function semanticTokens(snapshot: Snapshot): SemanticTokens {
  const builder = new SemanticTokensBuilder();
  const push = ({ start, end }: Span, type: TokenType, declares: boolean): void => {
    const { line, character } = snapshot.position(start);
    const isOneLine = snapshot.position(end).line === line;
    if (isOneLine && end > start) builder.push(line, character, end - start, types.indexOf(type), declares ? 1 : 0);
  };
  for (const entry of entriesOf(snapshot.syntax)) {
    const { path, key, value } = entry;
    if (key) {
      const role = domainRole(path);
      if (role) push(key.inner, "class", role === "definition");
      else if (schemaAt(path)) push(key.inner, "property", false);
    }
    const type = valueType(entry);
    if (type && value?.kind === "scalar") push(value.inner, type, false);
  }
  return builder.build();
}

function valueType({ path, value }: Entry): TokenType | undefined {
  if (value?.kind !== "scalar" || value.block) return undefined;
  if (domainRole(path) === "expert") return "class";
  if (pathKind(path)) return "string";
  if (typeof value.data !== "string") return undefined;
  if (path.at(-1) === "tokens" && parseTokens(value.data) !== undefined) return "number";
  return schemaAt(path)?.enum?.includes(value.data) ? "enumMember" : undefined;
}
