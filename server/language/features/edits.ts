import { type SchemaNode, schemaAt } from "../../experiment/describe.ts";
import type { Path } from "../../experiment/problem.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Edit, type Entry, entryAt } from "../syntax.ts";
import { yamlText } from "../yamlText.ts";

/** Removes an entry, with its comma or its lines. */
export function removal({ syntax, text }: Snapshot, entry: Entry): Edit {
  const parent = entryAt(syntax, entry.path.slice(0, -1));
  const siblings = parent?.children ?? [];
  const index = siblings.indexOf(entry);
  const [before, after] = [siblings[index - 1], siblings[index + 1]];
  const collection = parent?.value;
  if (!collection || collection.kind === "alias" || collection.kind === "scalar") return { ...entry.span, text: "" };
  if (siblings.length === 1 && entry.path.length > 1) {
    // Without its last entry, the parent key would have no value.
    const brackets = collection.kind === "mapping" ? "{}" : "[]";
    return { start: collection.start, end: collection.end, text: brackets };
  }
  if (collection.flow) {
    if (after) return { start: entry.span.start, end: after.span.start, text: "" };
    return { start: before?.span.end ?? entry.span.start, end: entry.span.end, text: "" };
  }
  const lineStart = lineStartAt(text, entry.span.start);
  const alone = entry.key ? /^\s*$/ : /^\s*-\s+$/;
  if (alone.test(text.slice(lineStart, entry.span.start))) {
    const lineEnd = text.indexOf("\n", entry.span.end);
    return { start: lineStart, end: lineEnd < 0 ? text.length : lineEnd + 1, text: "" };
  }
  return { start: entry.span.start, end: after?.span.start ?? entry.span.end, text: "" };
}

const lineStartAt = (text: string, offset: number): number =>
  offset === 0 ? 0 : text.lastIndexOf("\n", offset - 1) + 1;

/** Inserts a missing required key, with an example value; undefined if there is no place for it. */
export function insertedKey({ syntax, text }: Snapshot, path: Path): Edit | undefined {
  const key = path.at(-1);
  const node = schemaAt(path);
  const parent = entryAt(syntax, path.slice(0, -1));
  if (typeof key !== "string" || !node || !parent) return undefined;
  const pair = `${key}: ${example(path, node)}`;
  const { value } = parent;
  if (value?.kind === "mapping" && value.flow) {
    const at = value.start + 1;
    return { start: at, end: at, text: parent.children.length > 0 ? `${pair}, ` : pair };
  }
  if (value?.kind === "mapping" && parent.children.length > 0 && path.length > 1) {
    const at = value.start;
    const indent = at - lineStartAt(text, at);
    return { start: at, end: at, text: `${pair}\n${" ".repeat(indent)}` };
  }
  if (path.length > 1) return value ? undefined : filled(text, parent, `{${pair}}`);
  if (value && value.kind !== "mapping") return undefined;
  return { start: text.length, end: text.length, text: `${/[^\n]$/.test(text) ? "\n" : ""}${pair}\n` };
}

/** Adds a value with all required keys to a key without a value. */
export function insertedValue({ syntax, text }: Snapshot, path: Path): Edit | undefined {
  const entry = entryAt(syntax, path);
  const node = schemaAt(path);
  return entry?.key && !entry.value && node?.required ? filled(text, entry, example(path, node)) : undefined;
}

/** Inserts a value after the colon of a key without one. */
function filled(text: string, { key }: Entry, value: string): Edit | undefined {
  const colon = key && /^\s*:/.exec(text.slice(key.end));
  if (!colon) return undefined;
  const at = key.end + colon[0].length;
  return { start: at, end: at, text: ` ${value}` };
}

/** A valid value of a key, as text on one line. */
function example(path: Path, node: SchemaNode): string {
  if (node.properties) {
    const pairs = (node.required ?? []).map((key) => `${key}: ${example([...path, key], node.properties![key]!)}`);
    return `{${pairs.join(", ")}}`;
  }
  if (node.additionalProperties) {
    const name = "text";
    return `{${name}: ${example([...path, name], node.additionalProperties)}}`;
  }
  if (path.at(-1) === "files") return yamlText(`${path.at(-2)}/**/*.txt`, true);
  if (node.enum) return node.enum[0]!;
  if (node.type === "boolean") return "false";
  return node.type === "integer" || node.type === "number" ? String(node.default ?? node.minimum ?? 1) : '""';
}
