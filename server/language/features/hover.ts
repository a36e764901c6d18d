import type { Hover, Position } from "vscode-languageserver";
import { namesOf, schemaAt } from "../../experiment/describe.ts";
import { parseTokens } from "../../experiment/schema/tokens.ts";
import { bytes } from "../../protocol/format.ts";
import { domainNameAt } from "../domains.ts";
import type { DomainFiles } from "../facts/domainFiles.ts";
import { keyHelp } from "../help.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Entry, entryAt, innermostEntry, type Span, touches } from "../syntax.ts";
import { helpOf } from "./completeValues.ts";

/** Help for the key, value or domain at a position. `files` counts a domain's files. */
export async function hover(snapshot: Snapshot, position: Position, files: DomainFiles): Promise<Hover | null> {
  const root = snapshot.syntax;
  const offset = snapshot.offset(position);
  const domain = domainNameAt(root, offset);
  // A frozen expert is not a domain; the help of `freeze` describes it.
  if (domain && domain.role !== "frozen")
    return shown(snapshot, domain.token, await domainHelp(snapshot, domain.name, files));
  const entry = innermostEntry(root, offset);
  const node = schemaAt(entry.path);
  if (!node) return null;
  if (entry.key && touches(entry.key, offset)) return shown(snapshot, entry.key, keyHelp(entry.path, node));
  const { value } = entry;
  if (value?.kind !== "scalar" || !touches(value, offset)) return null;
  const tokens = entry.path.at(-1) === "tokens" ? parseTokens(value.text) : undefined;
  if (tokens !== undefined) return shown(snapshot, value, `${tokens.toLocaleString("en-US")} tokens`);
  const help = namesOf(node) ? helpOf(entry.path, value.text) : undefined;
  return help ? shown(snapshot, value, help) : null;
}

const shown = (snapshot: Snapshot, span: Span, value: string): Hover => ({
  contents: { kind: "markdown", value },
  range: snapshot.range(span),
});

async function domainHelp(snapshot: Snapshot, name: string, files: DomainFiles): Promise<string> {
  const entry = entryAt(snapshot.syntax, ["domains", name]);
  const title = `**Domain \`${name}\`**`;
  if (!entry) return `${title}\n\nThe file does not define this domain.`;
  const patterns = patternsOf(entry);
  if (patterns.length === 0) return `${title}\n\nNo \`files\` are given.`;
  const found = snapshot.file === undefined ? undefined : await files.look(snapshot.file, patterns);
  const list = patterns.map((pattern) => `\`${pattern}\``).join(", ");
  if (!found) return `${title}\n\nFiles: ${list}`;
  if ("problem" in found) return `${title}\n\nFiles: ${list}\n\n${found.problem}`;
  return `${title}\n\n${found.count} ${found.count === 1 ? "file" : "files"}, ${bytes(found.bytes)}: ${list}`;
}

/** The patterns under a domain's `files`. */
function patternsOf(domain: Entry): string[] {
  const files = domain.children.find(({ key }) => key?.text === "files");
  const entries = files?.value?.kind === "list" ? files.children : files ? [files] : [];
  return entries.flatMap(({ value }) => (value?.kind === "scalar" && value.text !== "" ? [String(value.data)] : []));
}
